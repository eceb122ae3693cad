//! One host of one listener: which of its paths a request takes.

use super::RouteTable;
use super::candidate::Answer;
use super::find::Request;
use super::index::{Key, NONE};
use super::texts::TextId;
use crate::bytes;

/// A hostname of a listener, as routes write it, and what hangs below it.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Host {
    /// The listener's number.
    pub(super) listener: u32,
    /// The name as it is stored (a wildcard by its suffix); none if every host is meant.
    pub(super) name: TextId,
    /// Bit `length mod 32` of each exact path.
    pub(super) exact: u32,
    /// Bit [`depth`] of each prefix below the root.
    pub(super) prefixes: u32,
    /// Bit [`depth`] of each head of expressions.
    pub(super) heads: u32,
    /// The [`Answer`] of the prefix `/`.
    pub(super) root: u32,
    /// The number of the expressions without a head.
    pub(super) headless: u32,
    /// GRPCRoutes, by number.
    pub(super) grpc: u32,
}

impl Host {
    pub(super) fn new(listener: u32, name: TextId) -> Host {
        Host {
            listener,
            name,
            exact: 0,
            prefixes: 0,
            heads: 0,
            root: NONE,
            headless: NONE,
            grpc: NONE,
        }
    }
}

/// Kinds of keys below a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// HTTPRoute: the whole path.
    Exact,
    /// HTTPRoute: path elements from the start.
    Prefix,
    /// HTTPRoute: the head of regular expressions.
    Head,
    /// GRPCRoute: service and method, `/service/method`.
    ServiceAndMethod,
    /// GRPCRoute: service alone, `/service`.
    Service,
    /// GRPCRoute: method alone, `/method`.
    Method,
}

/// The scope of a kind of keys below a host.
pub(super) fn scope(host: u32, kind: Kind) -> u32 {
    host << 3 | kind as u32
}

/// The deepest depth that has a bit of its own.
const DEEPEST: u32 = 31;

/// The bit of a number of path elements; all depths from 31 on share the last one.
pub(super) fn depth(elements: usize) -> u32 {
    1 << u32::try_from(elements).unwrap_or(DEEPEST).min(DEEPEST)
}

/// The bit of an exact path's length.
pub(super) fn length(path: &[u8]) -> u32 {
    1 << (path.len() % 32)
}

/// A place where an element of the path ends, and the hash of the path up to there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    end: u32,
    depth: u32,
    hash: u64,
}

impl RouteTable {
    /// The first candidate of the HTTPRoutes of a host that a request fits.
    ///
    /// Exact paths come first, then regular expressions, then prefixes from the longest to the shortest. One look-up for
    /// each depth that the host has paths of and the request's path reaches.
    #[inline]
    pub(super) fn first_http(
        &self,
        number: u32,
        host: &Host,
        request: &mut Request<'_, '_>,
    ) -> Option<u32> {
        let path = request.head.target.path();
        if host.exact & length(path) != 0 {
            let hash = self.hasher.text(path);
            let key = Key::new(&self.hasher, hash, scope(number, Kind::Exact), path);
            if let Some(answer) = self.paths.find(&key, &self.texts)
                && let Some(found) = self.first_of(Answer::from_value(answer), request)
            {
                return Some(found);
            }
        }
        let depths = host.prefixes | host.heads;
        if depths != 0 {
            self.mark(path, depths, &mut request.scratch.marks);
        }
        if host.heads != 0 || host.headless != NONE {
            let found = self.first_by_pattern(number, host, request);
            if found.is_some() {
                return found;
            }
        }
        if host.prefixes != 0 {
            for at in (0..request.scratch.marks.len()).rev() {
                let mark = request.scratch.marks.get(at).copied()?;
                if host.prefixes & mark.depth == 0 {
                    continue;
                }
                let Some(prefix) = path.get(..mark.end as usize) else {
                    continue;
                };
                let key = Key::new(&self.hasher, mark.hash, scope(number, Kind::Prefix), prefix);
                if let Some(answer) = self.paths.find(&key, &self.texts)
                    && let Some(found) = self.first_of(Answer::from_value(answer), request)
                {
                    return Some(found);
                }
            }
        }
        // `*` is no path, so the prefix `/` does not mean it.
        if host.root != NONE && path.first() == Some(&b'/') {
            return self.first_of(Answer::from_value(host.root), request);
        }
        None
    }

    fn first_by_pattern(
        &self,
        number: u32,
        host: &Host,
        request: &mut Request<'_, '_>,
    ) -> Option<u32> {
        let mut best = NONE;
        if host.headless != NONE {
            self.better_by_head(host.headless, 0, &mut best, request);
        }
        if host.heads != 0 {
            let path = request.head.target.path();
            for at in 0..request.scratch.marks.len() {
                let mark = request.scratch.marks.get(at).copied()?;
                let Some(head) = path.get(..mark.end as usize) else {
                    continue;
                };
                if host.heads & mark.depth == 0 {
                    continue;
                }
                let key = Key::new(&self.hasher, mark.hash, scope(number, Kind::Head), head);
                if let Some(head) = self.paths.find(&key, &self.texts) {
                    self.better_by_head(head, mark.end as usize, &mut best, request);
                }
            }
        }
        (best != NONE).then_some(best)
    }

    /// Finds where the path's elements end, at the depths asked for, and hashes the path up to there.
    fn mark(&self, path: &[u8], depths: u32, marks: &mut Vec<Mark>) {
        marks.clear();
        let mut prefixes = self.hasher.prefixes(path);
        let mut mark = |end: usize, elements: u32| {
            marks.push(Mark {
                end: u32::try_from(end).unwrap_or(u32::MAX),
                depth: 1 << elements.min(DEEPEST),
                hash: prefixes.up_to(end),
            });
        };
        // The slash before an element ends the one before it, so the first slash ends none.
        let mut slashes = 0;
        let mut wanted = self.next_depth(depths, slashes);
        for block in bytes::blocks(path, b'/') {
            // Most blocks hold no slash that matters.
            let count = block.left();
            if slashes + count <= wanted {
                slashes += count;
                continue;
            }
            for end in block {
                if slashes == wanted {
                    mark(end, slashes);
                    wanted = self.next_depth(depths, slashes + 1);
                }
                slashes += 1;
            }
            if wanted == u32::MAX {
                return;
            }
        }
        if slashes == wanted {
            mark(path.len(), slashes);
        }
    }

    /// The first depth asked for from `least` on; `u32::MAX` if there is none.
    fn next_depth(&self, depths: u32, least: u32) -> u32 {
        let rest = depths.checked_shr(least).unwrap_or(0);
        if rest != 0 {
            least + rest.trailing_zeros()
        } else if depths >> DEEPEST != 0 && least <= self.deepest {
            // All depths from 31 on share a bit.
            least
        } else {
            u32::MAX
        }
    }
}
