//! Session persistence: a token leads a client back to the endpoint that it was with.
//!
//! A token holds when it was issued and a digest of Service port and address. It needs no memory of ours, is good after a
//! restart and at every replica, and can lead to endpoints of the backend only that the weights picked.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gatepost::key::ObjectKey;
use gatepost::rule::{ServicePort, SessionPersistence, SessionToken};
use http::header::{COOKIE, HeaderName, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use ring::digest::{SHA256, digest};

use crate::endpoints::{Addresses, Endpoint};

/// The session of one request.
#[derive(Debug)]
pub struct Session<'r> {
    persistence: &'r SessionPersistence,
    port: &'r ServicePort,
    carrier: Carrier<'r>,
}

#[derive(Debug)]
enum Carrier<'r> {
    Cookie {
        name: String,
        path: &'r str,
        permanent: bool,
    },
    Header(&'r HeaderName),
}

impl<'r> Session<'r> {
    /// The session that a rule or a backend asks for. A cookie without a name gets one of the rule and the Service port.
    pub fn new(
        persistence: &'r SessionPersistence,
        (route, rule): (&ObjectKey, u16),
        port: &'r ServicePort,
    ) -> Session<'r> {
        let carrier = match &persistence.token {
            SessionToken::Header(name) => Carrier::Header(name),
            SessionToken::Cookie {
                name,
                path,
                permanent,
            } => Carrier::Cookie {
                name: match name {
                    Some(name) => name.to_string(),
                    None => format!("gatepost-{}", short(&format!("{route} {rule} {port}"))),
                },
                path,
                permanent: *permanent,
            },
        };
        Session {
            persistence,
            port,
            carrier,
        }
    }

    /// The endpoint that the request's token leads to, if it is still there and the token still good.
    pub fn endpoint(&self, headers: &HeaderMap, addresses: &Addresses) -> Option<Arc<Endpoint>> {
        self.endpoint_at(headers, addresses, now())
    }

    fn endpoint_at(
        &self,
        headers: &HeaderMap,
        addresses: &Addresses,
        now: u64,
    ) -> Option<Arc<Endpoint>> {
        let tokens: Vec<&str> = match &self.carrier {
            Carrier::Header(name) => headers
                .get_all(*name)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .collect(),
            Carrier::Cookie { name, .. } => headers
                .get_all(COOKIE)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(';'))
                .filter_map(|pair| pair.trim().split_once('='))
                .filter(|(own, _)| own == name)
                .map(|(_, token)| token)
                .collect(),
        };
        let limit = self
            .persistence
            .absolute_timeout
            .map(|limit| limit.as_secs());
        let good = |token: &str| {
            let (issued, digest) = token.split_once('-')?;
            let issued = u64::from_str_radix(issued, 16).ok()?;
            let old = limit.is_some_and(|limit| now.saturating_sub(issued) >= limit);
            (!old && issued <= now).then(|| digest.to_owned())
        };
        let digests: Vec<String> = tokens.into_iter().filter_map(good).collect();
        let list = addresses.list().iter();
        let mut found = list.filter(|endpoint| digests.contains(&self.digest(endpoint)));
        found.next().cloned()
    }

    /// Gives the client a token of an endpoint.
    pub fn remember(&self, endpoint: &Endpoint, headers: &mut HeaderMap) {
        let token = format!("{:x}-{}", now(), self.digest(endpoint));
        match &self.carrier {
            Carrier::Header(name) => {
                if let Ok(token) = HeaderValue::from_str(&token) {
                    headers.insert(*name, token);
                }
            }
            Carrier::Cookie {
                name,
                path,
                permanent,
            } => {
                let age = self.persistence.absolute_timeout.filter(|_| *permanent);
                let age = age
                    .map(|age| format!("; Max-Age={}", age.as_secs()))
                    .unwrap_or_default();
                let cookie =
                    format!("{name}={token}; Path={path}{age}; Secure; HttpOnly; SameSite=Strict");
                if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                    headers.append(SET_COOKIE, cookie);
                }
            }
        }
    }

    fn digest(&self, endpoint: &Endpoint) -> String {
        short(&format!("{} {}", self.port, endpoint.address))
    }
}

/// The first half of a SHA-256, in hexadecimal digits.
fn short(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let half = digest.as_ref().iter().take(16);
    half.map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
