//! RequestMirror.

use super::backend::Backend;

/// `HTTPRequestMirrorFilter` whose backend could be resolved; one that could not be is left out of the rule.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Where the copy goes. Its weight means nothing.
    pub backend: Backend,
    /// Of `denominator` requests this many are copied (`percent` is `percent/100`; neither given is `1/1`).
    pub numerator: u32,
    /// At least 1 and at least `numerator`.
    pub denominator: u32,
}
