use super::*;
use proptest::prelude::*;

/// `METHOD target version` and Host fields → host and path, or the refusal.
fn parse(target: &str, hosts: &[&str], required: bool) -> Result<(String, String), Refused> {
    let mut buffer = Vec::new();
    let mut hosts = hosts.iter().map(|host| host.as_bytes());
    let raw = Raw {
        target: target.as_bytes(),
        authority: None,
        hosts: &mut hosts,
        host_required: required,
        connect: false,
    };
    let target = Target::parse(raw, &PathPolicy::default(), &mut buffer)?;
    let path = String::from_utf8_lossy(target.path()).into_owned();
    Ok((target.host().name().unwrap_or("-").to_owned(), path))
}

fn path(target: &str) -> Result<String, Refused> {
    parse(target, &["a.test"], true).map(|(_, path)| path)
}

#[test]
fn paths_take_their_canonical_form() {
    for (target, expected) in [
        ("/", "/"),
        ("/admin", "/admin"),
        ("/Admin", "/Admin"),
        ("/./admin/x", "/admin/x"),
        ("/public/%2e%2e/admin/x", "/admin/x"),
        ("/public/.%2E/admin", "/admin"),
        ("/../../../etc/passwd", "/etc/passwd"),
        ("//admin/x", "/admin/x"),
        ("/.//admin/x", "/admin/x"),
        ("/public//../admin/x", "/public/admin/x"),
        ("/%61%64min", "/admin"),
        ("/%41", "/A"),
        ("/x%252fadmin", "/x%252fadmin"),
        ("/admin%20", "/admin%20"),
        ("/a%c3%a9", "/a%C3%A9"),
        ("/aé", "/a%C3%A9"),
        ("/public/.../admin", "/public/.../admin"),
        ("/public/x/..", "/public/"),
        ("/public/.", "/public/"),
        ("/admin/%2e%2e", "/"),
        ("/..", "/"),
        ("/.", "/"),
        ("/a/../..", "/"),
        ("/admin/%23x", "/admin/%23x"),
        ("/a|b", "/a%7Cb"),
        ("/a/b/../../c", "/c"),
        ("/.a", "/.a"),
        ("/..a", "/..a"),
        ("/a;b/c", "/a;b/c"),
        ("/%7Ea", "/~a"),
        ("http://a.test/public/../admin/x", "/admin/x"),
        ("http://a.test?x=1", "/"),
        ("HTTP://A.TEST", "/"),
        ("*", "*"),
    ] {
        assert_eq!(path(target).as_deref(), Ok(expected), "{target}");
    }
}

#[test]
fn ambiguous_paths_are_refused() {
    for (target, expected) in [
        ("/admin%2Fx", Refused::EncodedSlash),
        ("/%2fadmin", Refused::EncodedSlash),
        ("/a%00.jpg", Refused::EncodedControl),
        ("/a%0d%0aX:1", Refused::EncodedControl),
        ("/a/..;/b", Refused::DotSegmentParameters),
        ("/a/..;x=y/b", Refused::DotSegmentParameters),
        ("/a/%2e%2e;/b", Refused::DotSegmentParameters),
        ("/\\admin", Refused::BadCharacter),
        ("/a/..%5cb", Refused::EncodedControl),
        ("/%u002e", Refused::BadEscape),
        ("/a%", Refused::BadEscape),
        ("/a%2", Refused::BadEscape),
        ("/a#b", Refused::BadCharacter),
        ("/a b", Refused::BadCharacter),
        ("a", Refused::BadTarget),
        ("", Refused::BadTarget),
        ("ftp://a.test/x", Refused::BadTarget),
        ("http:/a.test/x", Refused::BadTarget),
        ("http://u@a.test/", Refused::BadHost),
        ("**", Refused::BadTarget),
    ] {
        assert_eq!(path(target), Err(expected), "{target}");
    }
}

#[test]
fn hosts_are_names_in_lower_case() {
    let host = |text: &str| parse("/", &[text], true).map(|(host, _)| host);
    for (text, expected) in [
        ("gate.test", "gate.test"),
        ("GATE.test:8443", "gate.test"),
        ("gate.test:", "gate.test"),
        ("gate.test.", "gate.test"),
        ("127.0.0.1:80", "-"),
        ("[::1]:80", "-"),
        ("a_b.test", "a_b.test"),
    ] {
        assert_eq!(host(text).as_deref(), Ok(expected), "{text}");
    }
    let long = format!("{}.test", "a".repeat(260));
    for text in [
        "",
        "a.test, b.test",
        "u@a.test",
        "a.test:99999",
        "a.test:80:80",
        "a.test: 80",
        "a.test..",
        ".a.test",
        "[::1",
        "[a.test]",
        "[::1]a.test",
        "a.test/x",
        "a.test?x",
        "a.test\\x",
        "a .test",
        "a.test\0",
        "gäte.test",
        "*.a.test",
        &long,
    ] {
        assert_eq!(host(text), Err(Refused::BadHost), "{text}");
    }
    assert_eq!(parse("/", &[], true), Err(Refused::NoHost));
    assert_eq!(parse("/", &["a", "a"], true), Err(Refused::SeveralHosts));
    assert_eq!(parse("/", &[], false), Ok(("-".to_owned(), "/".to_owned())));
    assert_eq!(
        parse("http://a.test/", &["b.test"], true)
            .map(|(host, _)| host)
            .as_deref(),
        Ok("a.test")
    );
    assert_eq!(
        parse("http://a.test/", &["b .test"], true),
        Err(Refused::BadHost)
    );
}

#[test]
fn encoded_slashes_follow_the_policy() {
    let canonical = |path: &str, encoded_slash, merge_slashes| {
        let mut out = Vec::new();
        let changed = canonical_path(
            path.as_bytes(),
            &PathPolicy {
                encoded_slash,
                merge_slashes,
            },
            &mut out,
        );
        changed.map(|changed| {
            if changed {
                String::from_utf8_lossy(&out).into_owned()
            } else {
                path.to_owned()
            }
        })
    };
    assert_eq!(
        canonical("/a%2fb", EncodedSlash::Keep, true).as_deref(),
        Ok("/a%2Fb")
    );
    assert_eq!(
        canonical("/a%2f..%2fb", EncodedSlash::Decode, true).as_deref(),
        Ok("/b")
    );
    assert_eq!(
        canonical("/a//b", EncodedSlash::Reject, false).as_deref(),
        Ok("/a//b")
    );
}

#[test]
fn the_first_value_of_a_parameter_counts() {
    let query = Query::new(b"a=1&a=2&%62=x+y&c&=e&d=%zz;f=1");
    let first = |name: &str| {
        query
            .first(name.as_bytes())
            .map(|v| Query::decode(v).collect::<Vec<u8>>())
    };
    assert_eq!(first("a").as_deref(), Some(&b"1"[..]));
    assert_eq!(first("b").as_deref(), Some(&b"x y"[..]));
    assert_eq!(first("c").as_deref(), Some(&b""[..]));
    assert_eq!(first("d").as_deref(), Some(&b"%zz;f=1"[..]));
    assert_eq!(first("f"), None);
}

proptest! {
    // A canonical path is its own canonical form.
    #[test]
    fn canonical_paths_stay(path in "/([a./%;|]|%2e|%2E|%61|%25|é){0,12}", decode in 0..3_usize, merge_slashes: bool) {
        let encoded_slash = [EncodedSlash::Reject, EncodedSlash::Keep, EncodedSlash::Decode][decode];
        let policy = PathPolicy { encoded_slash, merge_slashes };
        let mut once = Vec::new();
        if let Ok(changed) = canonical_path(path.as_bytes(), &policy, &mut once) {
            let once = if changed { once } else { path.into_bytes() };
            let mut twice = Vec::new();
            prop_assert_eq!(canonical_path(&once, &policy, &mut twice), Ok(false));
            prop_assert!(!once.split(|&b| b == b'/').any(|segment| segment == b"." || segment == b".."));
        }
    }

    #[test]
    fn arbitrary_targets_never_panic(target: Vec<u8>, host: Vec<u8>) {
        let mut buffer = Vec::new();
        let mut hosts = std::iter::once(&host[..]);
        let raw = Raw { target: &target, authority: None, hosts: &mut hosts, host_required: true, connect: false };
        if let Ok(target) = Target::parse(raw, &PathPolicy::default(), &mut buffer) {
            prop_assert!(target.path() == b"*" || target.path().starts_with(b"/"));
        }
    }
}

#[test]
fn queries_have_no_character_that_ends_a_line_or_target() {
    for query in ["a b", "a#b", "a\u{7f}", "a\tb", "#", " "] {
        assert_eq!(path(&format!("/a?{query}")), Err(Refused::BadCharacter));
    }
    for query in ["", "a!b", "~", "?", "a/b"] {
        assert_eq!(path(&format!("/a?{query}")), Ok("/a".to_owned()));
    }
}

#[test]
fn what_has_to_be_written_anew_says_so() {
    for (text, authority, changed) in [
        ("/a?b", None, false),
        ("*", None, false),
        ("/a", Some("b.test"), false),
        ("/%61", None, true),
        ("/a/../b", Some("b.test"), true),
        ("http://b.test/a", None, true),
        ("http://b.test", None, true),
    ] {
        let mut buffer = Vec::new();
        let mut hosts = [b"a.test".as_slice()].into_iter();
        let raw = Raw {
            target: text.as_bytes(),
            authority: authority.map(str::as_bytes),
            hosts: &mut hosts,
            host_required: true,
            connect: false,
        };
        let shown = format!("{raw:?}");
        assert!(shown.starts_with("Raw { target: ["), "{shown}");
        let target = Target::parse(raw, &PathPolicy::default(), &mut buffer).expect(text);
        assert_eq!(target.changed(), changed, "{text}");
        let host = if text.starts_with("http") || authority.is_some() {
            "b.test"
        } else {
            "a.test"
        };
        assert_eq!(target.host().name(), Some(host), "{text}");
    }
}

#[test]
fn refusals_say_why() {
    let said = path("/%2f").expect_err("an encoded slash").to_string();
    assert_eq!(said, "the path has an encoded slash");
}

#[test]
fn hosts_are_at_most_253_long_and_may_end_in_a_digit() {
    let longest = format!("{}.b", "a.".repeat(125) + "a");
    assert_eq!(longest.len(), 253);
    assert_eq!(
        parse("/", &[&longest], true).map(|(host, _)| host),
        Ok(longest.clone())
    );
    let longer = format!("a{longest}");
    assert_eq!(parse("/", &[&longer], true), Err(Refused::BadHost));
    for host in ["web1", "a.b2", "1.2.3.4.5"] {
        assert_eq!(
            parse("/", &[host], true).map(|(host, _)| host),
            Ok(host.to_owned())
        );
    }
}

/// Where a path stops to be canonical, byte by byte.
fn plain_prefix(path: &[u8]) -> usize {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let mut before = b'x';
    path.iter()
        .take_while(|&&byte| {
            let first = before == b'x' && byte == b'/';
            let stays = plain(byte) && !(before == b'/' && matches!(byte, b'/' | b'.'));
            before = byte;
            first || stays
        })
        .count()
}

proptest! {
    #[test]
    fn canonical_paths_are_seen_in_blocks(
        path in prop::collection::vec(prop::sample::select(b"abcdefghijkl~_=@Z:;&//.%\x7f\xe9".to_vec()), 0..70),
    ) {
        let path = [b"/", &*path].concat();
        prop_assert_eq!(path::canonical_prefix(&path), plain_prefix(&path));
        prop_assert_eq!(path::canonical_prefix(&path[1..]) == 0, path.get(1) != Some(&b'/'));
    }
}

#[test]
fn what_is_canonical_is_not_copied() {
    let mut buffer = Vec::new();
    let mut hosts = std::iter::once(&b"www.a.test:80"[..]);
    let raw = Raw {
        target: b"/a/b?c=d",
        authority: None,
        hosts: &mut hosts,
        host_required: true,
        connect: false,
    };
    let target = Target::parse(raw, &PathPolicy::default(), &mut buffer).expect("it is sound");
    assert_eq!(target.host().name(), Some("www.a.test"));
    assert!(buffer.is_empty(), "{buffer:?}");
    let refused = canonical_path(b"", &PathPolicy::default(), &mut buffer);
    assert_eq!(refused, Err(Refused::BadTarget));
}

#[test]
fn only_percent_and_plus_stand_for_other_bytes() {
    for value in ["", "a-b_c=d", "a long one, as it is"] {
        assert!(Query::is_literal(value.as_bytes()), "{value}");
        for mark in ["+", "%41", "%"] {
            assert!(!Query::is_literal(format!("{value}{mark}").as_bytes()));
            assert!(!Query::is_literal(format!("{mark}{value}").as_bytes()));
        }
    }
}

proptest! {
    #[test]
    fn a_parameter_is_the_first_pair_of_its_name(
        query in prop::collection::vec(prop::sample::select(b"ab=&+%".to_vec()), 0..40),
        literal in prop::collection::vec(prop::sample::select(b"ab=&".to_vec()), 0..40),
        name in prop::collection::vec(prop::sample::select(b"ab=".to_vec()), 0..3),
    ) {
        for text in [&query, &literal] {
            let query = Query::new(text);
            let plain = query.pairs().find(|(key, _)| values_equal(key, &name));
            prop_assert_eq!(query.first(&name), plain.map(|(_, value)| value));
        }
    }
}

#[test]
fn pairs_without_a_value_and_empty_ones() {
    let query = Query::new(b"a=1&&c&=e&a=2&d=x=y");
    let found = ["a", "c", "", "d", "d=x", "b"].map(|name| query.first(name.as_bytes()));
    let wanted = [Some("1"), Some(""), Some("e"), Some("x=y"), None, None];
    assert_eq!(found, wanted.map(|value| value.map(str::as_bytes)));
    assert_eq!(Query::new(b"a&&b").first(b""), None);
}
