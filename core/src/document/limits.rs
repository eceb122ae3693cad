//! What one text may cost.

/// Limits on what is read. Each that is exceeded refuses the text, with an error that names the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one text: 16 MiB.
    pub bytes: usize,
    /// Mappings and sequences inside each other: 64.
    pub depth: usize,
    /// Scalars, sequences and mappings in one text, copies by aliases included: 4,000,000.
    pub nodes: usize,
    /// Nodes that aliases may add: 10,000.
    pub alias_nodes: usize,
    /// Bytes of one scalar: 256 KiB less one, which is what Kubernetes lets all annotations of an object hold.
    pub scalar: usize,
    /// Objects in one load: 100,000.
    pub objects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            depth: 64,
            nodes: 4_000_000,
            alias_nodes: 10_000,
            scalar: (256 << 10) - 1,
            objects: 100_000,
        }
    }
}
