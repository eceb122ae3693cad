//! The weighted choice of a backend.

use std::sync::atomic::{AtomicU64, Ordering};

use super::backend::{Backend, InvalidBackend};

/// The backends of a rule with their shares.
///
/// A choice is made by a ticket, a number that the caller draws: the whole range of `u64` is laid out along the weights,
/// so equal tickets pick equal backends and evenly spread tickets pick in exact proportion. Invalid backends keep their
/// share. No lock, no allocation, no branch on the ticket: weights are counted, one in 16 and then 16 where there are
/// many. (Weights of more than 2³² together are walked: sixteen backends have 16 million at the most.)
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backends {
    entries: Box<[Backend]>,
    weights: Weights,
}

/// The weights of entries, added up.
#[derive(Clone, Debug, PartialEq)]
enum Weights {
    /// All of them; they are walked.
    Total(u64),
    /// Up to and including each entry.
    Sums(Box<[u32]>),
}

impl Default for Weights {
    fn default() -> Self {
        Weights::Total(0)
    }
}

/// So many entries are walked.
const FEW: usize = 4;

/// A backend that was picked.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain pair")]
pub struct Picked<'b> {
    /// Its position among the entries.
    pub index: u16,
    /// The backend.
    pub backend: &'b Backend,
}

/// Why no backend takes the request: 500 (gRPC: UNAVAILABLE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers have to handle each")]
pub enum NoBackend<'b> {
    /// The rule names none.
    Empty,
    /// All weights are zero, or of what is left.
    ZeroWeights,
    /// The one picked cannot be used.
    Invalid {
        /// Its position among the entries.
        index: u16,
        /// Why.
        reason: &'b InvalidBackend,
    },
}

impl Backends {
    /// Backends in the order of `backendRefs`, invalid ones included: they keep their share.
    pub fn new(entries: Vec<Backend>) -> Self {
        let total = entries.iter().map(|entry| u64::from(entry.weight)).sum();
        let few = entries.len() <= FEW || u32::try_from(total).is_err();
        let weights = if few {
            Weights::Total(total)
        } else {
            let mut sum = 0;
            let running = entries.iter().map(|entry| {
                sum += entry.weight;
                sum
            });
            Weights::Sums(running.collect())
        };
        Self {
            entries: entries.into(),
            weights,
        }
    }

    /// All entries, in the order of `backendRefs`.
    pub fn entries(&self) -> &[Backend] {
        &self.entries
    }

    /// The sum of the weights.
    pub fn total(&self) -> u64 {
        match &self.weights {
            Weights::Total(total) => *total,
            Weights::Sums(sums) => sums.last().map_or(0, |&sum| u64::from(sum)),
        }
    }

    /// The backend of a ticket. Pure: the same ticket, the same backend.
    ///
    /// Over tickets `i × 2⁶⁴ / total` each backend is picked exactly as often as its weight says.
    ///
    /// # Errors
    ///
    /// If there is none, all weights are zero, or the one picked is invalid.
    pub fn pick(&self, ticket: u64) -> Result<Picked<'_>, NoBackend<'_>> {
        if self.entries.is_empty() {
            return Err(NoBackend::Empty);
        }
        let total = self.total();
        if total == 0 {
            return Err(NoBackend::ZeroWeights);
        }
        // The share of the range below the ticket, scaled to the weights: below `total`, so the search finds an entry.
        let point = scale(ticket, total);
        if let Weights::Sums(sums) = &self.weights {
            // Below the last of them, so it fits.
            return self.entry(place(sums, point as u32));
        }
        let mut sum = 0;
        let passed = self.entries.iter().map(|entry| {
            sum += u64::from(entry.weight);
            usize::from(sum <= point)
        });
        self.entry(passed.sum())
    }

    /// The backend of a key, such as a session: weighted rendezvous hashing, so that a change of weights or backends
    /// moves as few keys as it can.
    ///
    /// # Errors
    ///
    /// As [`Backends::pick`].
    pub fn pick_key(&self, key: &[u8]) -> Result<Picked<'_>, NoBackend<'_>> {
        if self.entries.is_empty() {
            return Err(NoBackend::Empty);
        }
        let score = |(index, entry): (usize, &Backend)| {
            let hash = mix(hash(key), hash_of(entry));
            // -ln(u) / weight is exponentially distributed; the least of them falls on each with its weight's share.
            #[expect(clippy::cast_precision_loss, reason = "53 bits of the hash are enough")]
            let uniform = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            (-uniform.ln() / f64::from(entry.weight), index)
        };
        let weighed = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.weight > 0);
        match weighed
            .map(score)
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
        {
            Some((_, index)) => self.entry(index),
            None => Err(NoBackend::ZeroWeights),
        }
    }

    /// The backend of a ticket among those not tried yet, in proportion to their weights.
    ///
    /// # Errors
    ///
    /// As [`Backends::pick`]; [`NoBackend::ZeroWeights`] if nothing is left.
    pub fn pick_other(&self, ticket: u64, tried: &[u16]) -> Result<Picked<'_>, NoBackend<'_>> {
        if self.entries.is_empty() {
            return Err(NoBackend::Empty);
        }
        let left = |index: usize| !u16::try_from(index).is_ok_and(|index| tried.contains(&index));
        let weights = || {
            self.entries
                .iter()
                .enumerate()
                .filter(|(index, _)| left(*index))
        };
        let total: u64 = weights().map(|(_, entry)| u64::from(entry.weight)).sum();
        if total == 0 {
            return Err(NoBackend::ZeroWeights);
        }
        let mut point = scale(ticket, total);
        for (index, entry) in weights() {
            match point.checked_sub(u64::from(entry.weight)) {
                Some(rest) => point = rest,
                None => return self.entry(index),
            }
        }
        Err(NoBackend::ZeroWeights)
    }

    /// A backend drawn at random.
    ///
    /// # Errors
    ///
    /// As [`Backends::pick`].
    pub fn select<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> Result<Picked<'_>, NoBackend<'_>> {
        self.pick(rng.next_u64())
    }

    fn entry(&self, index: usize) -> Result<Picked<'_>, NoBackend<'_>> {
        let Some(backend) = self.entries.get(index) else {
            return Err(NoBackend::ZeroWeights);
        };
        // INVARIANT: a rule has at most 16 backends (`HTTPRouteRule.backendRefs`).
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        match &backend.destination {
            Ok(_) => Ok(Picked { index, backend }),
            Err(reason) => Err(NoBackend::Invalid { index, reason }),
        }
    }
}

/// How many of the ascending sums a point is not below.
///
/// Tickets are spread, so a branch on one is as good as never foreseen: sums are counted, in blocks where there are many.
fn place(sums: &[u32], point: u32) -> usize {
    const BLOCK: usize = 16;
    let below =
        |sums: &[u32]| sums.iter().map(|&sum| u32::from(sum <= point)).sum::<u32>() as usize;
    let (blocks, _) = sums.as_chunks::<BLOCK>();
    let lasts = blocks.iter().filter_map(|block| block.last());
    let start = BLOCK * lasts.map(|&last| usize::from(last <= point)).sum::<usize>();
    let rest = sums.get(start..).unwrap_or_default();
    start + below(rest.get(..BLOCK).unwrap_or(rest))
}

/// `ticket / 2⁶⁴ × total`, rounded down.
fn scale(ticket: u64, total: u64) -> u64 {
    let product = u128::from(ticket) * u128::from(total);
    u64::try_from(product >> 64).unwrap_or(u64::MAX)
}

/// FNV-1a, finished by a mixer: it has to be the same in every process, so it has no key.
fn hash(bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    bytes.iter().fold(start, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn hash_of(backend: &Backend) -> u64 {
    match &backend.destination {
        Ok(destination) => {
            let port = &destination.port;
            let name = mix(hash(port.namespace.as_bytes()), hash(port.name.as_bytes()));
            mix(name, u64::from(port.port))
        }
        Err(_) => u64::from(backend.index),
    }
}

fn mix(one: u64, two: u64) -> u64 {
    let mut mixed = one ^ two.rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The step of [`Tickets`], of 2⁶⁴: the continued fraction `[0; 2, 1, 2, 1, 1, 1, 2, 1, 2, 2, 1, 1, 1, …]`.
///
/// 367/1,000 is one of its convergents, and the next has a denominator of 1,703, so any 1,000 successive tickets
/// lie within 1/1,703 of a thousand points at equal distances: an interval of any place and length holds at most 1.24 more
/// or fewer of them than its share. (For the golden ratio that is 2.65: its convergents have denominators of 987 and
/// 1,597.) All partial quotients are 1 or 2, so that no other stretch is spread badly: off by at most 4 below a thousand.
const STEP: u64 = 0x5df3_b263_aa1d_8267;

/// Draws tickets that are spread evenly, whatever stretch of them is looked at: a counter in steps of a fixed fraction.
///
/// One counter serves one rule, from any number of threads, without a lock. Over any 1,000 successive tickets the share of
/// each backend, however many there are and whatever their weights, is off by less than two picks; random picks would be off
/// by the square root of their number.
#[derive(Debug)]
pub struct Tickets(AtomicU64);

impl Tickets {
    /// Starts at a number that the caller chooses, best at random, so that several counters do not walk in step.
    pub const fn new(start: u64) -> Tickets {
        Tickets(AtomicU64::new(start))
    }

    /// The next ticket.
    pub fn draw(&self) -> u64 {
        self.0.fetch_add(STEP, Ordering::Relaxed)
    }

    /// The next ticket, for whom the counter belongs to alone, such as a thread that serves its own connections: spares the
    /// atomic addition, which takes longer than a pick.
    ///
    /// ```
    /// use gatepost::rule::Tickets;
    /// let (shared, mut own) = (Tickets::new(7), Tickets::new(7));
    /// assert!((0..1_000).all(|_| shared.draw() == own.draw_mut()));
    /// ```
    pub fn draw_mut(&mut self) -> u64 {
        let next = self.0.get_mut();
        let ticket = *next;
        *next = ticket.wrapping_add(STEP);
        ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rare;
    use proptest::prelude::*;

    fn backends(weights: &[u32]) -> Backends {
        let entry = |(index, &weight): (usize, &u32)| Backend {
            index: u16::try_from(index).expect("few"),
            weight,
            destination: Ok(std::sync::Arc::new(crate::rule::BackendDestination {
                port: crate::rule::ServicePort {
                    kind: crate::key::Kind::Service,
                    namespace: "n".into(),
                    name: format!("s{index}").into(),
                    port: 80,
                },
                protocol: crate::rule::BackendProtocol::Unspecified,
                tls: None,
                session: None,
                retry_budget: None,
            })),
            filters: Rare::default(),
        };
        Backends::new(weights.iter().enumerate().map(entry).collect())
    }

    proptest! {
        #[test]
        fn sums_are_counted_as_they_are_searched(
            weights in prop_oneof![
                proptest::collection::vec(0_u32..4, 1..60),
                proptest::collection::vec(0_u32..4, 200..300),
            ],
            ticket: u64,
        ) {
            let mut sum = 0;
            let sums: Vec<u32> = weights.iter().map(|weight| { sum += weight; sum }).collect();
            let scaled = u32::try_from(scale(ticket, sum.into())).expect("below the sum");
            for point in [scaled, 0, sum.saturating_sub(1), sum] {
                prop_assert_eq!(place(&sums, point), sums.partition_point(|&sum| sum <= point));
            }
        }
    }

    #[test]
    fn nothing_is_picked_of_nothing() {
        assert_eq!(backends(&[]).pick(0).err(), Some(NoBackend::Empty));
        assert_eq!(
            backends(&[0, 0]).pick(u64::MAX).err(),
            Some(NoBackend::ZeroWeights)
        );
        assert_eq!(
            backends(&[1, 1]).pick_other(7, &[0, 1]).err(),
            Some(NoBackend::ZeroWeights)
        );
        assert_eq!(
            backends(&[]).pick_other(7, &[]).err(),
            Some(NoBackend::Empty)
        );
        assert_eq!(backends(&[]).pick_key(b"k").err(), Some(NoBackend::Empty));
        assert_eq!(
            backends(&[0, 0]).pick_key(b"k").err(),
            Some(NoBackend::ZeroWeights)
        );
    }

    #[test]
    fn weights_of_more_than_32_bits_keep_their_shares() {
        let backends = backends(&[u32::MAX, 0, u32::MAX, 1, u32::MAX, u32::MAX - 1]);
        let total = backends.total();
        assert_eq!(total, 4 * u64::from(u32::MAX));
        let at = |point: u64| {
            let ticket = (u128::from(point) << 64).div_ceil(u128::from(total));
            let ticket = u64::try_from(ticket).expect("below 2^64");
            backends
                .pick(ticket)
                .expect("weights are not all zero")
                .index
        };
        let most = u64::from(u32::MAX);
        let points = [0, most - 1, most, 2 * most - 1, 2 * most, 2 * most + 1];
        assert_eq!(points.map(at), [0, 0, 2, 2, 3, 4]);
        assert_eq!([3 * most, 3 * most + 1, total - 1].map(at), [4, 5, 5]);
    }

    #[test]
    fn others_keep_their_shares_among_themselves() {
        let backends = backends(&[3, 5, 0, 1]);
        let mut counts = [0; 4];
        for number in 0..4_u64 {
            let ticket = number << 62;
            let picked = backends.pick_other(ticket, &[1]).expect("others are left");
            counts[usize::from(picked.index)] += 1;
        }
        assert_eq!(counts, [3, 0, 0, 1]);
    }

    #[test]
    fn keys_are_hashed_alike_in_every_process_and_version() {
        // Values of an independent implementation of FNV-1a and the finisher of SplitMix64.
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"gatepost"), 0x1d17_67f5_78ec_e3d4);
        assert_eq!(mix(1, 2), 0x52c4_e387_94fe_d135);
        let mixed = mix(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        assert_eq!(mixed, 0xf0b0_e205_e4ae_1e05);
    }

    #[test]
    fn keys_fall_on_backends_as_their_weights_say() {
        let backends = backends(&[10, 0, 60, 30]);
        assert_eq!(backends.entries().len(), 4);
        let mut counts = [0_u32; 4];
        for key in 0..10_000_u32 {
            let picked = backends.pick_key(&key.to_le_bytes()).expect("a backend");
            counts[usize::from(picked.index)] += 1;
        }
        // Four standard deviations of 10,000 draws: 120, 196 and 183.
        for (count, share) in counts.iter().zip([1_000, 0, 6_000, 3_000_u32]) {
            assert!(count.abs_diff(share) <= share / 8, "{counts:?}");
        }
        assert_eq!(counts[1], 0);
    }

    #[test]
    fn a_changed_weight_moves_few_keys() {
        let (before, after) = (backends(&[50, 50]), backends(&[50, 60]));
        let moved = (0..1_000_u32).filter(|key| {
            let key = key.to_le_bytes();
            let index = |b: &Backends| b.pick_key(&key).map(|p| p.index).ok();
            index(&before) != index(&after)
        });
        assert!((1..120).contains(&moved.count()));
    }

    /// The greatest difference between the tickets in an interval, of any place and length, and its share of them.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a thousandth of a ticket is enough"
    )]
    fn discrepancy(count: u64) -> f64 {
        let tickets = Tickets::new(0);
        let mut drawn: Vec<u64> = (0..count).map(|_| tickets.draw()).collect();
        drawn.sort_unstable();
        let ahead = |(index, ticket): (usize, &u64)| {
            index as f64 - *ticket as f64 / 2_f64.powi(64) * count as f64
        };
        let ahead: Vec<f64> = drawn.iter().enumerate().map(ahead).collect();
        let most = ahead.iter().copied().fold(f64::MIN, f64::max);
        let least = ahead.iter().copied().fold(f64::MAX, f64::min);
        1.0 + most - least
    }

    #[test]
    fn one_owner_draws_what_many_would() {
        let (shared, mut own) = (Tickets::new(u64::MAX - 7), Tickets::new(u64::MAX - 7));
        for _ in 0..10 {
            assert_eq!(shared.draw(), own.draw_mut());
        }
        assert_ne!(own.draw_mut(), own.draw_mut());
    }

    // A start turns all tickets by the same amount, so one start stands for all.
    #[test]
    fn no_interval_holds_many_more_tickets_than_its_share() {
        let thousand = discrepancy(1_000);
        assert!(thousand < 1.24, "{thousand}");
        for count in (1..3_000).step_by(37) {
            let off = discrepancy(count);
            let most = if count < 1_000 { 4.0 } else { 5.0 };
            assert!(off < most, "{off} of {count}");
        }
    }

    proptest! {
        #[test]
        fn even_tickets_pick_exact_shares(weights in prop::collection::vec(0_u32..200, 1..10)) {
            let backends = backends(&weights);
            let total = backends.total();
            let mut counts = vec![0; weights.len()];
            for number in 0..total {
                let ticket = (u128::from(number) << 64).div_ceil(u128::from(total));
                let picked = backends.pick(u64::try_from(ticket).expect("below 2^64")).expect("weights are not all zero");
                counts[usize::from(picked.index)] += 1;
            }
            prop_assert_eq!(counts, weights);
        }

        #[test]
        fn any_thousand_tickets_are_off_by_two_at_most(start: u64, weights in prop::collection::vec(0_u32..1_000, 1..17)) {
            let backends = backends(&weights);
            prop_assume!(backends.total() > 0);
            let tickets = Tickets::new(start);
            let mut counts = vec![0_u64; weights.len()];
            for _ in 0..1_000 {
                let picked = backends.pick(tickets.draw()).expect("weights are not all zero");
                counts[usize::from(picked.index)] += 1;
            }
            for (count, weight) in counts.iter().zip(&weights) {
                let (have, want) = (count * backends.total(), 1_000 * u64::from(*weight));
                prop_assert!(have.abs_diff(want) <= 2 * backends.total(), "{counts:?} of {weights:?}");
            }
        }

        #[test]
        fn others_are_never_those_tried(ticket: u64, weights in prop::collection::vec(0_u32..9, 1..6), tried in prop::collection::vec(0_u16..6, 0..6)) {
            let backends = backends(&weights);
            if let Ok(picked) = backends.pick_other(ticket, &tried) {
                prop_assert!(!tried.contains(&picked.index) && picked.backend.weight > 0);
            }
        }
    }
}
