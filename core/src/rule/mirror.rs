//! RequestMirror.

use super::backend::Backend;

/// `HTTPRequestMirrorFilter` whose backend could be resolved; one that could not be is left out of the rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Mirror {
    /// Where the copy goes. Its weight means nothing.
    pub backend: Backend,
    /// Of `denominator` requests this many are copied (`percent` is `percent/100`; neither given is `1/1`).
    pub numerator: u32,
    /// At least 1 and at least `numerator`.
    pub denominator: u32,
}

impl Mirror {
    /// Whether a request is copied. `draw` is the caller's, evenly spread over `u64`, one for each request and mirror.
    pub fn takes(&self, draw: u64) -> bool {
        let scaled = (u128::from(draw) * u128::from(self.denominator)) >> 64;
        scaled < u128::from(self.numerator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{InvalidBackend, Rare};

    #[test]
    fn exactly_the_fraction_of_an_even_spread_is_copied() {
        for (numerator, denominator) in [(0, 100), (1, 1), (20, 100), (25, 50), (35, 100), (1, 7)] {
            let invalid = InvalidBackend {
                reason: "BackendNotFound",
                message: "".into(),
            };
            let backend = Backend {
                index: 0,
                weight: 1,
                destination: Err(invalid.into()),
                filters: Rare::default(),
            };
            let mirror = Mirror {
                backend,
                numerator,
                denominator,
            };
            let step = u64::MAX / u64::from(denominator);
            let copied = (0..u64::from(denominator))
                .filter(|i| mirror.takes(i * step + step / 2))
                .count();
            assert_eq!(copied, numerator as usize, "{numerator}/{denominator}");
        }
    }
}
