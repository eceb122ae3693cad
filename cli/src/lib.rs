//! The gatepost command line.
