//! Which Gateway has which address.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::str::FromStr;

use gatepost::key::NamespacedName;

/// A range of addresses for Gateways, such as `10.1.0.0/16`: each gets one of its own, and binds it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPool {
    first: u128,
    last: u128,
    v4: bool,
}

/// Why a text is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPool(String);

impl fmt::Display for InvalidPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no range of addresses, expected one such as 10.1.0.0/16 whose last bits are zero",
            self.0
        )
    }
}

impl std::error::Error for InvalidPool {}

impl FromStr for AddressPool {
    type Err = InvalidPool;

    /// Reads ADDRESS/LENGTH, as in RFC 4632 and RFC 4291 section 2.3.
    fn from_str(text: &str) -> Result<AddressPool, InvalidPool> {
        let wrong = || InvalidPool(text.to_owned());
        let (address, length) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let length: u32 = length.parse().map_err(|_| wrong())?;
        let (bits, number): (u32, u128) = match address {
            IpAddr::V4(address) => (32, u128::from(u32::from(address))),
            IpAddr::V6(address) => (128, u128::from(address)),
        };
        let host = bits.checked_sub(length).ok_or_else(wrong)?;
        let mask = 1_u128.checked_shl(host).map_or(u128::MAX, |bit| bit - 1);
        if number & mask != 0 {
            return Err(wrong());
        }
        let (mut first, mut last) = (number, number | mask);
        if bits == 32 && host > 1 {
            // Network and broadcast address.
            (first, last) = (first + 1, last - 1);
        }
        Ok(AddressPool {
            first,
            last,
            v4: bits == 32,
        })
    }
}

impl AddressPool {
    fn number(&self, address: IpAddr) -> Option<u128> {
        let number = match address {
            IpAddr::V4(address) if self.v4 => u128::from(u32::from(address)),
            IpAddr::V6(address) if !self.v4 => u128::from(address),
            _ => return None,
        };
        (self.first..=self.last).contains(&number).then_some(number)
    }

    fn address(&self, number: u128) -> IpAddr {
        if self.v4 {
            // The range is one of 32 bits.
            IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(0)))
        } else {
            IpAddr::V6(Ipv6Addr::from(number))
        }
    }

    /// The lowest address that is not taken.
    fn free(&self, taken: &BTreeMap<IpAddr, NamespacedName>) -> Option<IpAddr> {
        let mut number = self.first;
        loop {
            let address = self.address(number);
            if !taken.contains_key(&address) {
                return Some(address);
            }
            number = number
                .checked_add(1)
                .filter(|number| *number <= self.last)?;
        }
    }
}

/// What a Gateway asks for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) gateway: NamespacedName,
    /// `spec.addresses`; empty: one of the pool.
    pub(super) wanted: Vec<String>,
    /// What its status says it has.
    pub(super) published: Vec<IpAddr>,
}

/// What a Gateway gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Assigned {
    pub(super) addresses: Vec<IpAddr>,
    /// Why what it asks for cannot be had.
    pub(super) refused: Option<String>,
}

/// Who has what.
#[derive(Debug)]
pub(super) struct Addresses {
    pool: Option<AddressPool>,
    held: BTreeMap<IpAddr, NamespacedName>,
}

impl Addresses {
    pub(super) fn new(pool: Option<AddressPool>) -> Addresses {
        Addresses {
            pool,
            held: BTreeMap::new(),
        }
    }

    /// Says what each Gateway gets. Who has an address keeps it; what a status says is kept over a restart; `may_assign`
    /// says whether new ones are given, which only the process does that writes statuses.
    pub(super) fn assign(
        &mut self,
        requests: &[Request],
        may_assign: bool,
        usable: impl Fn(IpAddr) -> Result<(), String>,
    ) -> BTreeMap<NamespacedName, Assigned> {
        let asks: BTreeMap<&NamespacedName, &Request> = requests
            .iter()
            .map(|request| (&request.gateway, request))
            .collect();
        let pool = self.pool;
        let pooled = |address: IpAddr| pool.is_some_and(|pool| pool.number(address).is_some());
        self.held.retain(|address, holder| {
            asks.get(holder)
                .is_some_and(|request| match request.wanted.as_slice() {
                    [] => pooled(*address),
                    wanted => wanted.iter().any(|text| text.parse() == Ok(*address)),
                })
        });
        let mut assigned = BTreeMap::new();
        // What is asked for by name comes before what may be any.
        let (named, any): (Vec<&Request>, Vec<&Request>) = requests
            .iter()
            .partition(|request| !request.wanted.is_empty());
        for request in named {
            assigned.insert(request.gateway.clone(), self.named(request, &usable));
        }
        for request in &any {
            let has = |address: &IpAddr| self.held.get(address) == Some(&request.gateway);
            let published = request.published.iter().copied();
            let again = published
                .filter(|address| pooled(*address))
                .find(|address| has(address) || !self.held.contains_key(address));
            let own = self
                .held
                .iter()
                .find(|(_, holder)| **holder == request.gateway)
                .map(|(address, _)| *address);
            // A process that does not write follows the one that does.
            let kept = if may_assign { own.or(again) } else { again };
            if own.is_some() && own != kept {
                self.held.retain(|_, holder| *holder != request.gateway);
            }
            if let Some(address) = kept {
                self.held.insert(address, request.gateway.clone());
            }
            let addresses = kept.into_iter().collect();
            assigned.insert(
                request.gateway.clone(),
                Assigned {
                    addresses,
                    refused: None,
                },
            );
        }
        if may_assign {
            for request in any {
                let Some(given) = assigned.get_mut(&request.gateway) else {
                    continue;
                };
                if given.addresses.is_empty()
                    && let Some(address) = pool.and_then(|pool| pool.free(&self.held))
                {
                    self.held.insert(address, request.gateway.clone());
                    given.addresses.push(address);
                }
            }
        }
        assigned
    }

    fn named(
        &mut self,
        request: &Request,
        usable: &impl Fn(IpAddr) -> Result<(), String>,
    ) -> Assigned {
        let mut given = Assigned::default();
        let mut seen = BTreeSet::new();
        for text in &request.wanted {
            let refused = match text.parse::<IpAddr>() {
                Err(_) => Some(format!("address `{text}` is no IP address")),
                Ok(address) if !seen.insert(address) => None,
                Ok(address) => match (self.held.get(&address), usable(address)) {
                    (Some(holder), _) if *holder != request.gateway => {
                        Some(format!("address {address} is held by Gateway `{holder}`"))
                    }
                    (_, Err(why)) => Some(format!("address {address} cannot be bound: {why}")),
                    (_, Ok(())) => {
                        self.held.insert(address, request.gateway.clone());
                        given.addresses.push(address);
                        None
                    }
                },
            };
            if let Some(refused) = refused {
                given.refused.get_or_insert(refused);
            }
        }
        given
    }
}

/// Whether an address is of this machine: asked by binding some port of it.
pub(super) fn bindable(address: IpAddr) -> Result<(), String> {
    UdpSocket::bind((address, 0))
        .map(drop)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, wanted: &[&str], published: &[&str]) -> Request {
        Request {
            gateway: NamespacedName::new("a", name),
            wanted: wanted.iter().map(|text| (*text).to_owned()).collect(),
            published: published
                .iter()
                .map(|text| text.parse().expect("an address"))
                .collect(),
        }
    }

    fn fine(_: IpAddr) -> Result<(), String> {
        Ok(())
    }

    fn told(assigned: &BTreeMap<NamespacedName, Assigned>) -> Vec<String> {
        let line = |(name, assigned): (&NamespacedName, &Assigned)| {
            let addresses: Vec<String> =
                assigned.addresses.iter().map(ToString::to_string).collect();
            format!(
                "{} {}{}",
                name.name,
                addresses.join(","),
                assigned.refused.as_deref().unwrap_or("")
            )
        };
        assigned.iter().map(line).collect()
    }

    fn addresses() -> Addresses {
        Addresses::new(Some("10.0.0.0/29".parse().expect("a range")))
    }

    #[test]
    fn ranges_are_read() {
        for text in [
            "10.0.0.0/8",
            "10.0.0.1/32",
            "::/0",
            "fd00::/64",
            "0.0.0.0/0",
        ] {
            assert!(text.parse::<AddressPool>().is_ok(), "{text}");
        }
        for text in [
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "x/8",
            "fd00::/129",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<AddressPool>().is_err(), "{text}");
        }
        let one: AddressPool = "10.0.0.7/32".parse().expect("a range");
        assert_eq!(one.free(&BTreeMap::new()), "10.0.0.7".parse().ok());
    }

    #[test]
    fn each_gateway_has_one_and_keeps_it() {
        let mut addresses = addresses();
        let two = [request("x", &[], &[]), request("y", &[], &["10.0.0.1"])];
        assert_eq!(
            told(&addresses.assign(&two, true, fine)),
            ["x 10.0.0.2", "y 10.0.0.1"]
        );
        // The status of x is not written yet.
        assert_eq!(
            told(&addresses.assign(&two, true, fine)),
            ["x 10.0.0.2", "y 10.0.0.1"]
        );
        let later = [request("x", &[], &["10.0.0.2"]), request("z", &[], &[])];
        assert_eq!(
            told(&addresses.assign(&later, true, fine)),
            ["x 10.0.0.2", "z 10.0.0.1"]
        );
    }

    #[test]
    fn an_empty_pool_gives_nothing() {
        let mut addresses = addresses();
        let many: Vec<Request> = (0..8)
            .map(|n| request(&format!("g{n}"), &[], &[]))
            .collect();
        let assigned = addresses.assign(&many, true, fine);
        let without = assigned
            .values()
            .filter(|assigned| assigned.addresses.is_empty());
        assert_eq!(without.count(), 2, "six addresses of /29 are for use");
        let mut none = Addresses::new(None);
        assert_eq!(
            told(&none.assign(&[request("x", &[], &["10.0.0.1"])], true, fine)),
            ["x "]
        );
    }

    #[test]
    fn a_process_that_does_not_write_follows_statuses() {
        let mut addresses = addresses();
        let request_without = [request("x", &[], &[])];
        assert_eq!(
            told(&addresses.assign(&request_without, false, fine)),
            ["x "]
        );
        let with = [request("x", &[], &["10.0.0.5"])];
        assert_eq!(told(&addresses.assign(&with, false, fine)), ["x 10.0.0.5"]);
        let moved = [request("x", &[], &["10.0.0.4"])];
        assert_eq!(told(&addresses.assign(&moved, false, fine)), ["x 10.0.0.4"]);
        assert_eq!(told(&addresses.assign(&moved, true, fine)), ["x 10.0.0.4"]);
    }

    #[test]
    fn named_addresses_are_honoured_or_refused() {
        let mut addresses = addresses();
        let usable = |address: IpAddr| {
            if address.to_string().starts_with("192.") {
                Err("no such address".to_owned())
            } else {
                Ok(())
            }
        };
        let requests = [
            request("a", &[], &["10.0.0.1"]),
            request("b", &["10.0.0.1"], &[]),
            request("c", &["10.0.0.1", "172.16.0.1"], &[]),
            request("d", &["192.0.2.1", "10.0.0.3"], &[]),
        ];
        assert_eq!(
            told(&addresses.assign(&requests, true, usable)),
            [
                "a 10.0.0.2",
                "b 10.0.0.1",
                "c 172.16.0.1address 10.0.0.1 is held by Gateway `a/b`",
                "d 10.0.0.3address 192.0.2.1 cannot be bound: no such address",
            ]
        );
    }
}
