//! Cases, reference model, generators and subjects that judge gatepost.
