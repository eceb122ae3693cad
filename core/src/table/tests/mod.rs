mod agree;
mod cliffs;
mod plain;
mod update;

use super::*;
use crate::hostname::Hostname;
use crate::key::{Kind, NamespacedName};
use crate::rule::{
    Backends, HeaderMatch, Listener, ListenerTls, Matches, PathMatch, Protocol, Rare,
    RequestConditions, RequestMatch, Route, TlsMode, ValueMatch,
};
use crate::target::Raw;
use http::HeaderMap;

fn request_match(path: PathMatch, header: Option<(&'static str, &str)>) -> RequestMatch {
    let headers = header.map(|(name, value)| HeaderMatch {
        name: http::HeaderName::from_static(name),
        value: ValueMatch::Exact(value.as_bytes().into()),
    });
    RequestMatch {
        index: 0,
        path,
        conditions: Rare::from(RequestConditions {
            headers: headers.into_iter().collect(),
            ..RequestConditions::default()
        }),
    }
}

fn route(name: &str, hostnames: &[&str], matches: Vec<RequestMatch>) -> Arc<Route> {
    Arc::new(Route {
        key: ObjectKey::new(Kind::HttpRoute, "n", name).into(),
        created: None,
        hostnames: hostnames
            .iter()
            .map(|name| Hostname::parse(name).expect("a name"))
            .collect(),
        rules: vec![Arc::new(rule_of(0, Matches::Http(matches.into())))],
    })
}

fn rule_of(index: u16, matches: Matches) -> Rule {
    Rule {
        index,
        name: None,
        matches,
        filters: Rare::default(),
        backends: Backends::default(),
        timeouts: Rare::default(),
        retry: None,
        session: None,
    }
}

fn gateway_listener(
    name: &str,
    hostname: Option<&str>,
    protocol: Protocol,
    routes: Vec<Arc<Route>>,
) -> Arc<Listener> {
    let tls = (protocol == Protocol::Https).then(|| ListenerTls {
        mode: TlsMode::Terminate,
        certificates: Vec::new(),
        client_validation: None,
    });
    Arc::new(Listener {
        owner: ObjectKey::new(Kind::Gateway, "n", "gw"),
        gateway: NamespacedName::new("n", "gw"),
        name: name.into(),
        port: 80,
        protocol,
        hostname: hostname.map(|name| Hostname::parse(name).expect("a name")),
        tls,
        backend_client_certificate: None,
        filters: Vec::new(),
        routes: routes.into_iter().collect(),
    })
}

fn prefix(text: &str) -> PathMatch {
    PathMatch::Prefix(text.as_bytes().into())
}

fn find(
    table: &RouteTable,
    host: &str,
    path: &str,
    sni: Option<&str>,
    headers: &HeaderMap,
) -> Result<String, NoMatch> {
    let asked = Asked {
        target: path.as_bytes(),
        hosts: &[host.as_bytes()],
        sni,
        headers,
        ..Asked::default()
    };
    asked.of(table, |found, _| {
        found.map(|found| found.route().name.clone())
    })
}

/// A GET to port 80.
#[derive(Clone, Copy)]
struct Asked<'a> {
    target: &'a [u8],
    authority: Option<&'a [u8]>,
    hosts: &'a [&'a [u8]],
    sni: Option<&'a str>,
    headers: &'a HeaderMap,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        static NONE: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
        Asked {
            target: b"/",
            authority: None,
            hosts: &[],
            sni: None,
            headers: &NONE,
        }
    }
}

impl Asked<'_> {
    /// Hands over what a table finds for it.
    fn of<T>(
        self,
        table: &RouteTable,
        with: impl FnOnce(Result<Match<'_>, NoMatch>, &Target<'_>) -> T,
    ) -> T {
        let mut buffer = Vec::new();
        let raw = Raw {
            target: self.target,
            authority: self.authority,
            hosts: &mut self.hosts.iter().copied(),
            host_required: false,
            connect: false,
        };
        let target = table.target(raw, &mut buffer).expect("a sound target");
        let head = Head {
            port: 80,
            sni: self.sni,
            method: b"GET",
            target,
            headers: self.headers,
        };
        with(table.find(&head, &mut table.scratch()), &target)
    }
}

#[test]
fn precedence_decides_and_the_next_host_gets_its_turn() {
    let routes = vec![
        route(
            "wide",
            &["*.a.test"],
            vec![request_match(prefix("/path/prefix"), Some(("x-b", "1")))],
        ),
        route(
            "narrow",
            &["w.a.test"],
            vec![request_match(prefix("/path"), Some(("x-a", "1")))],
        ),
        route(
            "exact",
            &["w.a.test"],
            vec![request_match(PathMatch::Exact(b"/path"[..].into()), None)],
        ),
    ];
    let table = RouteTable::build(&TableInput {
        listeners: vec![gateway_listener("http", None, Protocol::Http, routes)],
        settings: TableSettings::default(),
    });
    let mut both = HeaderMap::new();
    both.insert("x-a", "1".parse().expect("a value"));
    both.insert("x-b", "1".parse().expect("a value"));
    let mut b = HeaderMap::new();
    b.insert("x-b", "1".parse().expect("a value"));
    let none = HeaderMap::new();
    assert_eq!(
        find(&table, "w.a.test", "/path/prefix/x", None, &both).as_deref(),
        Ok("narrow")
    );
    assert_eq!(
        find(&table, "w.a.test", "/path/prefix/x", None, &b).as_deref(),
        Ok("wide")
    );
    assert_eq!(
        find(&table, "w.a.test", "/path", None, &both).as_deref(),
        Ok("exact")
    );
    assert_eq!(
        find(&table, "w.a.test", "/path/prefix", None, &none),
        Err(NoMatch::NotFound)
    );
    assert_eq!(
        find(&table, "a.test", "/path", None, &both),
        Err(NoMatch::NotFound)
    );
}

/// The table of digest 2.2.
#[test]
fn requests_by_the_wrong_connection_are_misdirected() {
    let all = || vec![route("r", &[], vec![request_match(prefix(""), None)])];
    let names = [
        None,
        Some("second-example.org"),
        Some("*.wildcard.org"),
        Some("fourth-example.wildcard.org"),
    ];
    let mut listeners: Vec<Arc<Listener>> = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        let routes = match name {
            None => vec![route(
                "r",
                &["example.org"],
                vec![request_match(prefix(""), None)],
            )],
            Some(_) => all(),
        };
        listeners.push(gateway_listener(
            &format!("l{number}"),
            name,
            Protocol::Https,
            routes,
        ));
    }
    let table = RouteTable::build(&TableInput {
        listeners,
        settings: TableSettings::default(),
    });
    let headers = HeaderMap::new();
    for (sni, host, expected) in [
        ("example.org", "example.org", 200),
        ("example.org", "second-example.org", 421),
        ("example.org", "unknown.org", 404),
        ("second-example.org", "example.org", 421),
        ("second-example.org", "unknown.org", 421),
        ("unknown.org", "example.org", 200),
        ("third.wildcard.org", "fith.wildcard.org", 200),
        ("third.wildcard.org", "fourth-example.wildcard.org", 421),
        ("third.wildcard.org", "second-example.org", 421),
        ("fourth-example.wildcard.org", "fith.wildcard.org", 421),
        ("unknown.org", "unknown2.org", 404),
    ] {
        let status = match find(&table, host, "/", Some(sni), &headers) {
            Ok(_) => 200,
            Err(NoMatch::NotFound) => 404,
            Err(NoMatch::Misdirected) => 421,
            Err(NoMatch::NotImplemented) => 501,
        };
        assert_eq!(status, expected, "{sni} {host}");
    }
}

/// A request that names its host by `:authority` alone, as HTTP/2 does, is forwarded with that as Host.
#[test]
fn the_authority_becomes_the_host() {
    let routes = vec![route(
        "r",
        &[],
        vec![request_match(PathMatch::Prefix(b""[..].into()), None)],
    )];
    let table = RouteTable::build(&TableInput {
        listeners: vec![gateway_listener("http", None, Protocol::Http, routes)],
        settings: TableSettings::default(),
    });
    let found = |authority: Option<&[u8]>, check: &dyn Fn(&Match<'_>, &Target<'_>)| {
        let asked = Asked {
            target: b"/x?q=1",
            authority,
            ..Asked::default()
        };
        asked.of(&table, |found, target| {
            check(&found.expect("the rule"), target)
        });
    };
    found(Some(b"A.test:8443"), &|found, target| {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        assert!(matches!(
            found.apply(target, &mut parts),
            Action::Forward(_)
        ));
        assert_eq!(parts.headers["host"], "A.test:8443");
        assert_eq!(parts.uri, "/x?q=1");
    });
    // S:redirect-host: without any host there is no URL to lead to.
    let redirect = crate::rule::Redirect {
        scheme: None,
        hostname: None,
        path: None,
        port: None,
        status: http::StatusCode::FOUND,
    };
    found(None, &|found, target| {
        assert_eq!(found.redirect(&redirect, target).status(), 400)
    });
    let named = crate::rule::Redirect {
        hostname: Some("new.test".into()),
        ..redirect.clone()
    };
    found(None, &|found, target| {
        assert_eq!(
            found.redirect(&named, target).headers()["location"],
            "http://new.test/x?q=1"
        );
    });
}

#[test]
fn a_query_that_cannot_be_held_is_redirected_and_not_forwarded() {
    let rule = |index, path, redirect| Rule {
        filters: crate::rule::Filters {
            redirect,
            ..crate::rule::Filters::default()
        }
        .into(),
        ..rule_of(
            index,
            Matches::Http([request_match(prefix(path), None)].into()),
        )
    };
    let redirect = crate::rule::Redirect {
        scheme: None,
        hostname: Some("new.test".into()),
        path: None,
        port: None,
        status: http::StatusCode::FOUND,
    };
    let mut both = Route::clone(&route("r", &[], Vec::new()));
    both.rules = vec![
        Arc::new(rule(0, "/forwarded", None)),
        Arc::new(rule(1, "/redirected", Some(redirect))),
    ];
    let table = RouteTable::build(&TableInput {
        listeners: vec![gateway_listener(
            "http",
            None,
            Protocol::Http,
            vec![Arc::new(both)],
        )],
        settings: TableSettings::default(),
    });
    let answer = |target: &[u8]| {
        let asked = Asked {
            target,
            hosts: &[b"a.test"],
            ..Asked::default()
        };
        asked.of(&table, |found, target| {
            let (mut parts, ()) = http::Request::new(()).into_parts();
            match found.expect("the rule").apply(target, &mut parts) {
                Action::Forward(_) => (200, None),
                Action::Respond(response) => {
                    let location = response.headers().get("location");
                    let location = location.map(|value| value.as_bytes().to_vec());
                    (response.status().as_u16(), location)
                }
            }
        })
    };
    assert_eq!(answer("/forwarded?q=é".as_bytes()).0, 200);
    assert_eq!(answer(b"/forwarded?q=\xe9"), (400, None));
    for character in ["\"", "<", ">"] {
        let target = format!("/forwarded?q={character}");
        assert_eq!(answer(target.as_bytes()), (400, None), "{target}");
    }
    assert_eq!(answer(b"/forwarded?q='{}[]|\\^`~!").0, 200);
    let location = b"http://new.test/redirected?q=\xe9".to_vec();
    assert_eq!(answer(b"/redirected?q=\xe9"), (302, Some(location)));
}
