//! One host of one listener: which of its paths a request takes.

use super::RouteTable;
use super::candidate::{Answer, Served};
use super::dictionary::{Kind, key};
use super::find::Request;
use super::index::NONE;
use crate::bytes;
use crate::hostname::Hostname;

/// What hangs below a hostname of a listener.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Host {
    /// The listener's number; [`NONE`] where no host has this number.
    pub(super) listener: u32,
    /// Bit `length mod 32` of each exact path.
    pub(super) exact: u32,
    /// Bit [`depth`] of each prefix below the root.
    pub(super) prefixes: u32,
    /// Bit [`depth`] of each head of expressions.
    pub(super) heads: u32,
    /// Bits of [`Below`].
    pub(super) below: u32,
    /// What the prefix `/` leads to if that is one match which every request fits; else [`NONE`].
    pub(super) root: u32,
}

impl Default for Host {
    fn default() -> Self {
        Host {
            listener: NONE,
            exact: 0,
            prefixes: 0,
            heads: 0,
            below: 0,
            root: NONE,
        }
    }
}

/// What a host has, besides paths by depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    /// A prefix `/`; [`Host::root`] is asked first.
    Root,
    /// Expressions without a head.
    Headless,
    /// GRPCRoutes by service and method.
    ServiceAndMethod,
    /// GRPCRoutes by service.
    Service,
    /// GRPCRoutes by method.
    Method,
    /// GRPCRoutes by neither.
    AnyMethod,
    /// TLSRoutes, TCPRoutes, UDPRoutes.
    Connection,
}

impl Host {
    #[inline]
    pub(super) fn has(&self, below: Below) -> bool {
        self.below & 1 << below as u32 != 0
    }

    /// Whether there are GRPCRoutes.
    #[inline]
    pub(super) fn has_grpc(&self) -> bool {
        const GRPC: u32 = 1 << Below::ServiceAndMethod as u32
            | 1 << Below::Service as u32
            | 1 << Below::Method as u32
            | 1 << Below::AnyMethod as u32;
        self.below & GRPC != 0
    }
}

/// What only changes and explanations need to know of a host.
#[derive(Clone, Debug, Default)]
pub(super) struct HostInfo {
    /// The name as a route wrote it first; `None` if every host is meant.
    pub(super) name: Option<Hostname>,
    tally: Tally,
}

/// How many matches there are for each [`Tag`]: the tag in the upper eight bits; zero where there is room for one more.
#[derive(Clone, Debug)]
enum Tally {
    /// Most hosts have few paths.
    Few([u32; 4]),
    Many(Box<[u32]>),
}

impl Default for Tally {
    fn default() -> Self {
        Tally::Few([0; 4])
    }
}

impl Tally {
    fn counts(&mut self) -> &mut [u32] {
        match self {
            Tally::Few(counts) => counts,
            Tally::Many(counts) => counts,
        }
    }

    /// Adds a tag that is not there.
    fn add(&mut self, count: u32) {
        let counts = self.counts();
        match counts.iter_mut().find(|one| **one == 0) {
            Some(free) => *free = count,
            None => {
                let mut more = counts.to_vec();
                more.push(count);
                more.resize(2 * counts.len(), 0);
                *self = Tally::Many(more.into());
            }
        }
    }
}

/// One of the bits of a host: the field, and which of its 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// [`Host::exact`].
    Exact(u32),
    /// [`Host::prefixes`].
    Prefix(u32),
    /// [`Host::heads`].
    Head(u32),
    /// [`Host::below`].
    Below(Below),
}

const COUNT: u32 = (1 << 24) - 1;

impl HostInfo {
    pub(super) fn named(name: Option<Hostname>) -> HostInfo {
        HostInfo {
            name,
            tally: Tally::default(),
        }
    }

    /// Counts a match more or less, and sets the host's bits by what is left.
    pub(super) fn count(&mut self, host: &mut Host, tag: Tag, more: bool) {
        let (field, kind, bit) = match tag {
            Tag::Exact(bit) => (&mut host.exact, 0, bit.trailing_zeros()),
            Tag::Prefix(bit) => (&mut host.prefixes, 1, bit.trailing_zeros()),
            Tag::Head(bit) => (&mut host.heads, 2, bit.trailing_zeros()),
            Tag::Below(below) => (&mut host.below, 3, below as u32),
        };
        let tag = (kind << 5 | bit) << 24;
        let counts = self.tally.counts();
        let known = counts
            .iter_mut()
            .find(|one| **one != 0 && **one & !COUNT == tag);
        match (known, more) {
            (None, true) => {
                self.tally.add(tag | 1);
                *field |= 1 << bit;
            }
            (Some(count), true) => {
                if *count & COUNT < COUNT {
                    *count += 1;
                }
            }
            (Some(count), false) => {
                // What was counted to the end stays there: the bit is set for good.
                if *count & COUNT < COUNT {
                    *count -= 1;
                }
                if *count & COUNT == 0 {
                    *count = 0;
                    *field &= !(1 << bit);
                }
            }
            (None, false) => {}
        }
    }

    /// Whether nothing hangs below the host.
    pub(super) fn is_empty(&self) -> bool {
        match &self.tally {
            Tally::Few(counts) => counts.iter().all(|&count| count == 0),
            Tally::Many(counts) => counts.iter().all(|&count| count == 0),
        }
    }

    pub(super) fn memory(&self) -> usize {
        match &self.tally {
            Tally::Few(_) => 0,
            Tally::Many(counts) => size_of_val(&**counts),
        }
    }
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

/// The match that a direct answer stands for.
fn direct(value: u32) -> Option<Served> {
    match Answer::from_value(value) {
        Answer::Served(served) => Some(served),
        Answer::Candidate(_) | Answer::Leaf(_) => None,
    }
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
    ) -> Option<Served> {
        let path = request.head.target.path();
        let mut whole = None;
        if host.exact & length(path) != 0 {
            let hash = *whole.insert(self.hasher.text(path));
            let key = key(&self.hasher, hash, Kind::Exact, number, path);
            if let Some((parts, value)) = self.dictionary.find(&key)
                && let Some(found) = self.first_of(parts, value, request)
            {
                return Some(found);
            }
        }
        let depths = host.prefixes | host.heads;
        if depths != 0 {
            self.mark(path, whole, depths, &mut request.scratch.marks);
        }
        if host.heads != 0 || host.has(Below::Headless) {
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
                let key = key(&self.hasher, mark.hash, Kind::Prefix, number, prefix);
                if let Some((parts, value)) = self.dictionary.find(&key)
                    && let Some(found) = self.first_of(parts, value, request)
                {
                    return Some(found);
                }
            }
        }
        // `*` is no path, so the prefix `/` does not mean it.
        if path.first() != Some(&b'/') {
            None
        } else if host.root != NONE {
            direct(host.root)
        } else if host.has(Below::Root) {
            let key = key(
                &self.hasher,
                self.hasher.text(b""),
                Kind::Prefix,
                number,
                b"",
            );
            let (parts, value) = self.dictionary.find(&key)?;
            self.first_of(parts, value, request)
        } else {
            None
        }
    }

    /// The first match of a host's expressions that a request fits: the earliest of the first ones of all heads.
    fn first_by_pattern(
        &self,
        number: u32,
        host: &Host,
        request: &mut Request<'_, '_>,
    ) -> Option<Served> {
        let path = request.head.target.path();
        let mut best = None;
        if host.has(Below::Headless) {
            let key = key(&self.hasher, self.hasher.text(b""), Kind::Head, number, b"");
            if let Some((parts, head)) = self.dictionary.find(&key) {
                best = self.first_of_head(parts, head, 0, request);
            }
        }
        if host.heads == 0 {
            return best;
        }
        for at in 0..request.scratch.marks.len() {
            let mark = request.scratch.marks.get(at).copied()?;
            let Some(head) = path.get(..mark.end as usize) else {
                continue;
            };
            if host.heads & mark.depth == 0 {
                continue;
            }
            let key = key(&self.hasher, mark.hash, Kind::Head, number, head);
            if let Some((parts, head)) = self.dictionary.find(&key) {
                let found = self.first_of_head(parts, head, mark.end as usize, request);
                best = self.earlier(best, found);
            }
        }
        best
    }

    /// Finds where the path's elements end, at the depths asked for, and hashes the path up to there. The hash of the `whole` may
    /// be known.
    fn mark(&self, path: &[u8], whole: Option<u64>, depths: u32, marks: &mut Vec<Mark>) {
        marks.clear();
        let mut prefixes = self.hasher.prefixes(path);
        let mut mark = |end: usize, elements: u32| {
            marks.push(Mark {
                end: u32::try_from(end).unwrap_or(u32::MAX),
                depth: 1 << elements.min(DEEPEST),
                hash: match whole {
                    Some(hash) if end == path.len() => hash,
                    _ => prefixes.up_to(end),
                },
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
