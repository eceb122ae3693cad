//! The gatepost data plane: a tokio proxy over gatepost's route table.
