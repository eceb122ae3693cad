//! Hosts in front of what knows paths only: an exact map, then wildcards, the longest suffix first.

use std::collections::HashMap;

/// One `T` a host.
#[derive(Debug)]
pub struct HostMap<T> {
    exact: HashMap<String, T>,
    wildcard: HashMap<String, T>,
}

impl<T> Default for HostMap<T> {
    fn default() -> Self {
        HostMap {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        }
    }
}

impl<T: Default> HostMap<T> {
    /// What belongs to a hostname of a rule, made if it is not there.
    pub fn of(&mut self, hostname: &str) -> &mut T {
        match hostname.strip_prefix("*.") {
            Some(suffix) => self.wildcard.entry(suffix.to_owned()).or_default(),
            None => self.exact.entry(hostname.to_owned()).or_default(),
        }
    }
}

impl<T> HostMap<T> {
    /// Changes every value for another.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> HostMap<U> {
        let mut all = |map: HashMap<String, T>| -> HashMap<String, U> {
            map.into_iter()
                .map(|(host, value)| (host, change(value)))
                .collect()
        };
        HostMap {
            exact: all(self.exact),
            wildcard: all(self.wildcard),
        }
    }

    /// The first answer, from the most specific host that has one.
    pub fn first(&self, host: &str, answer: impl Fn(&T) -> Option<u32>) -> Option<u32> {
        if let Some(found) = self.exact.get(host).and_then(&answer) {
            return Some(found);
        }
        let mut rest = host;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(found) = self.wildcard.get(suffix).and_then(&answer) {
                return Some(found);
            }
            rest = suffix;
        }
        None
    }
}
