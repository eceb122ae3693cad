//! The weighted choice of a backend.

use super::backend::Backend;

/// The backends of a rule with their shares.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    entries: Vec<Backend>,
}

impl Backends {
    /// Backends in the order of `backendRefs`, invalid ones included: they keep their share.
    pub fn new(entries: Vec<Backend>) -> Self {
        Self { entries }
    }

    /// All entries, in the order of `backendRefs`.
    pub fn entries(&self) -> &[Backend] {
        &self.entries
    }
}
