//! Hostnames, the most specific first: the exact one, wildcards from the longest to the shortest, then none.

use super::dictionary::Find;
use super::hash::Hasher;
use super::index::{IndexBuilder, Key, NONE};
use super::texts::Interner;
use crate::bytes;
use crate::hostname::Hostname;

/// The names of one scope: the listeners of a port, or the hosts of a listener.
///
/// Exact names and the suffixes of wildcards, which begin with a dot, are looked up in the same scope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    pub(super) scope: u32,
    /// What serves where no name is asked for.
    pub(super) any: u32,
    /// Whether there are exact names.
    pub(super) exact: bool,
    /// The [`bit`] of each suffix: most suffixes of a host need no look-up.
    pub(super) suffixes: u64,
}

impl Names {
    pub(super) fn new(scope: u32) -> Names {
        Names {
            scope,
            any: NONE,
            exact: false,
            suffixes: 0,
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.any == NONE && !self.exact && self.suffixes == 0
    }

    /// Asks for the numbers of the names that mean a host, the most specific first, until one of them has an answer. `hash` is
    /// that of the host.
    #[inline]
    pub(super) fn first<R>(
        &self,
        index: &impl Find,
        hasher: &Hasher,
        host: Option<&[u8]>,
        hash: u64,
        mut ask: impl FnMut(u32) -> Option<R>,
    ) -> Option<R> {
        if let Some(host) = host {
            let number = |hash, name| index.number(&Key::new(hasher, hash, self.scope, name));
            if self.exact
                && let Some(number) = number(hash, host)
                && let Some(answer) = ask(number)
            {
                return Some(answer);
            }
            if self.suffixes != 0 {
                for dots in bytes::blocks(host, b'.') {
                    // A wildcard stands for at least one label.
                    for at in dots.filter(|&at| at > 0) {
                        let suffix = host.get(at..).unwrap_or_default();
                        if self.suffixes & bit(suffix.len()) != 0
                            && let Some(number) = number(hasher.text(suffix), suffix)
                            && let Some(answer) = ask(number)
                        {
                            return Some(answer);
                        }
                    }
                }
            }
        }
        if self.any == NONE {
            None
        } else {
            ask(self.any)
        }
    }

    /// Gives a name a number, if it has none.
    pub(super) fn add(
        &mut self,
        name: Option<&Hostname>,
        number: u32,
        index: &mut IndexBuilder,
        interner: &mut Interner,
        hasher: &Hasher,
    ) {
        let Some(name) = name else {
            if self.any == NONE {
                self.any = number;
            }
            return;
        };
        let text = text(name);
        match name.suffix() {
            Some(suffix) => self.suffixes |= bit(suffix.len()),
            None => self.exact = true,
        }
        let hash = hasher.text(text);
        let id = interner.intern(hasher, text, hash);
        let key = Key::new(hasher, hash, self.scope, text);
        if index.find(&key, interner.texts()).is_none() {
            index.insert(&key, id, number);
        }
    }
}

/// What is looked up of a name: of a wildcard what follows the `*`.
pub(super) fn text(name: &Hostname) -> &[u8] {
    name.suffix().unwrap_or_else(|| name.as_str()).as_bytes()
}

/// The bit of a suffix's length: 64 of them.
pub(super) fn bit(length: usize) -> u64 {
    1 << (length % 64)
}
