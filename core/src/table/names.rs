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

    /// The numbers of the names that mean a host, the most specific first. `hash` is that of the host.
    #[inline]
    pub(super) fn of<'t, F: Find>(
        &'t self,
        index: &'t F,
        hasher: &'t Hasher,
        host: Option<&'t [u8]>,
        hash: u64,
    ) -> Found<'t, F> {
        Found {
            names: self,
            index,
            hasher,
            host: host.unwrap_or_default(),
            hash,
            next: match host {
                Some(_) if self.exact => Step::Exact,
                Some(_) if self.suffixes != 0 => Step::Suffix(1),
                _ => Step::Any,
            },
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

/// See [`Names::of`].
#[derive(Debug)]
pub(super) struct Found<'t, F> {
    names: &'t Names,
    index: &'t F,
    hasher: &'t Hasher,
    host: &'t [u8],
    hash: u64,
    next: Step,
}

#[derive(Debug)]
enum Step {
    Exact,
    /// The suffix at the first dot from here on. A wildcard stands for at least one label, so it starts at 1.
    Suffix(usize),
    Any,
    Done,
}

impl<F: Find> Iterator for Found<'_, F> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        loop {
            match self.next {
                Step::Exact => {
                    self.next = if self.names.suffixes == 0 {
                        Step::Any
                    } else {
                        Step::Suffix(1)
                    };
                    let key = Key::new(self.hasher, self.hash, self.names.scope, self.host);
                    if let Some(number) = self.index.number(&key) {
                        return Some(number);
                    }
                }
                Step::Suffix(from) => {
                    let rest = self.host.get(from..).unwrap_or_default();
                    let Some(at) = bytes::position(rest, b'.') else {
                        self.next = Step::Any;
                        continue;
                    };
                    self.next = Step::Suffix(from + at + 1);
                    let suffix = rest.get(at..).unwrap_or_default();
                    if self.names.suffixes & bit(suffix.len()) == 0 {
                        continue;
                    }
                    let hash = self.hasher.text(suffix);
                    let key = Key::new(self.hasher, hash, self.names.scope, suffix);
                    if let Some(number) = self.index.number(&key) {
                        return Some(number);
                    }
                }
                Step::Any => {
                    self.next = Step::Done;
                    if self.names.any != NONE {
                        return Some(self.names.any);
                    }
                }
                Step::Done => return None,
            }
        }
    }
}
