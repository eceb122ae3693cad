//! `gatepost routes`: the rules in the order in which they are tried.

use std::fmt::Write;

use gatepost::analysis::{candidates, describe};
use gatepost::rule::Protocol;
use serde_json::{Value, json};

use crate::arguments::{Routes, TextFormat};
use crate::{input, output};

pub(crate) fn run(arguments: &Routes) -> u8 {
    let collected = input::load(&arguments.input);
    if input::report_unreadable(&collected) {
        return 2;
    }
    let resolution = input::settings(&arguments.input.reading).resolve(&collected.resources);
    let (mut text, mut listed) = (String::new(), Vec::new());
    for listener in resolution
        .planes()
        .iter()
        .flat_map(|plane| plane.table.listeners())
    {
        let hostname = listener.hostname.as_ref().map_or("*", |name| name.as_str());
        let protocol = match listener.protocol {
            Protocol::Http => "HTTP",
            Protocol::Https => "HTTPS",
            Protocol::Tls => "TLS",
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}[{}] {protocol} :{} host {hostname}",
            listener.gateway, listener.name, listener.port
        );
        let mut host = None;
        let mut rules = Vec::new();
        for (order, candidate) in candidates(listener).iter().enumerate() {
            let name = candidate.hostname.map_or("*", |name| name.as_str());
            if host != Some(name) {
                host = Some(name);
                let _ = writeln!(text, "  {name}");
            }
            let (route, rule) = (&*candidate.route.key, candidate.rule);
            let filters = describe::filters(rule);
            let _ = writeln!(
                text,
                "    {:>3}. {}  → {}",
                order + 1,
                describe::match_of(candidate),
                describe::backends(rule)
            );
            let named = rule
                .name
                .as_deref()
                .map(|name| format!(" {name:?}"))
                .unwrap_or_default();
            let with = if filters.is_empty() {
                String::new()
            } else {
                format!("  ({})", filters.join(", "))
            };
            let _ = writeln!(
                text,
                "         {route} rule[{}]{named} match[{}]{with}",
                rule.index, candidate.position
            );
            rules.push(json!({
                "order": order + 1, "hostname": candidate.hostname.map(|name| name.as_str()), "route": route.to_string(), "rule": rule.index,
                "name": rule.name.as_deref(), "match": candidate.position, "matches": describe::match_of(candidate), "filters": filters,
                "backends": describe::backends(rule),
            }));
        }
        if rules.is_empty() {
            text.push_str("  no route is attached\n");
        }
        listed.push(json!({
            "gateway": listener.gateway.to_string(), "listener": &*listener.name, "port": listener.port, "protocol": protocol,
            "hostname": listener.hostname.as_ref().map(|name| name.as_str()), "rules": rules,
        }));
    }
    let schema: Value = json!({"schema": "gatepost/routes/v1", "listeners": listed});
    output::print(&match arguments.output {
        TextFormat::Text if text.is_empty() => {
            "no listener serves; `gatepost check` tells why\n".to_owned()
        }
        TextFormat::Text => text,
        TextFormat::Json => format!("{schema:#}\n"),
    });
    0
}
