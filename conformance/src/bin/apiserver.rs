//! Compares `gatepost::validate` with a real API server on objects that are made from the CRDs.
//!
//! Run within `conformance/upstream/run --channel CHANNEL --exec '…'`, beside `kubectl proxy`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser;
use gatepost::document::{Document, Limits, read};
use gatepost::key::Channel;
use gatepost::validate::{validate, validate_update};
use gatepost_conformance::apiserver::answer::{self, Answer};
use gatepost_conformance::apiserver::client::Client;
use gatepost_conformance::apiserver::coverage::Coverage;
use gatepost_conformance::apiserver::kubernetes::{self, Outcome};
use gatepost_conformance::apiserver::objects::Objects;
use gatepost_conformance::upstream::{self, Crd};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

#[derive(Parser)]
struct Options {
    /// Where `kubectl proxy` listens.
    #[arg(long, default_value = "127.0.0.1:8001")]
    address: String,
    /// The channel of the CRDs that the server has.
    #[arg(long)]
    experimental: bool,
    /// Compare objects of Kubernetes' own kinds, as far as gatepost reads them.
    #[arg(long)]
    kubernetes: bool,
    /// How many objects to compare.
    #[arg(long, default_value_t = 10_000)]
    objects: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Connections at once.
    #[arg(long, default_value_t = 8)]
    connections: u64,
    /// Disagreements to print.
    #[arg(long, default_value_t = 20)]
    show: usize,
    /// Adds how often each rule was kept and broken to this file.
    #[arg(long)]
    coverage: Option<PathBuf>,
}

#[derive(Default)]
struct Report {
    compared: u64,
    updates: u64,
    classes: BTreeMap<&'static str, u64>,
    coverage: Coverage,
    disagreements: Vec<String>,
}

struct Judge<'c> {
    options: &'c Options,
    channel: Channel,
    messages: Vec<String>,
    kinds: Vec<Kind<'c>>,
}

struct Kind<'c> {
    crd: &'c Crd,
    objects: Objects<'c>,
    /// An object that the server holds.
    stored: Option<Value>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.kubernetes {
        return own_kinds(&options).unwrap_or_else(|error| {
            println!("{error}");
            ExitCode::FAILURE
        });
    }
    match run(&options) {
        Ok(report) => {
            for text in report.disagreements.iter().take(options.show) {
                println!("{text}\n");
            }
            let all = report.coverage.0.len();
            let seen = report.coverage.0.values();
            let both = seen
                .filter(|(kept, broken)| *kept > 0 && *broken > 0)
                .count();
            if let Some(file) = &options.coverage {
                let before = std::fs::read_to_string(file).unwrap_or_default();
                let mut sum = Coverage::from_lines(&before);
                sum.add(&report.coverage);
                if let Err(error) = std::fs::write(file, sum.lines()) {
                    println!("{}: {error}", file.display());
                }
            }
            let (spoken, messages) = by_message(&report.coverage);
            println!("by message: {spoken} of {messages} rules from both sides");
            println!(
                "{} objects ({} updates), answers {:?}, rules {both} of {all} from both sides, {} disagreements",
                report.compared,
                report.updates,
                report.classes,
                report.disagreements.len()
            );
            if report.disagreements.is_empty() && report.compared >= options.objects {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(text) => {
            println!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Compares objects of Kubernetes' own kinds, and prints how often the server alone refuses, by reason.
fn own_kinds(options: &Options) -> std::io::Result<ExitCode> {
    let mut client = Client::connect(&options.address)?;
    let subjects = kubernetes::subjects();
    let (mut same, mut wrong) = (0_u64, 0_usize);
    let mut lax: BTreeMap<String, u64> = BTreeMap::new();
    for seed in options.seed..options.seed + options.objects {
        let mut rng = StdRng::seed_from_u64(seed);
        let subject = &subjects[rng.random_range(0..subjects.len())];
        let object = subject.make(&mut rng);
        match kubernetes::compare(subject.path, &object, &mut client)? {
            Outcome::Same => same += 1,
            Outcome::Lax(reason) => {
                *lax.entry(format!("{} {reason}", object["kind"]))
                    .or_default() += 1;
            }
            Outcome::Wrong(text) => {
                wrong += 1;
                if wrong <= options.show {
                    println!("seed {seed}: {text}\n");
                }
            }
        }
    }
    for (reason, count) in &lax {
        println!("{count}\t{reason}");
    }
    println!(
        "{} objects of Kubernetes' kinds: {same} alike, {} refused by the server alone, {wrong} wrong",
        options.objects,
        lax.values().sum::<u64>()
    );
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How many rules were kept and broken at whatever place, and how many there are.
fn by_message(coverage: &Coverage) -> (usize, usize) {
    let mut messages: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for (rule, (kept, broken)) in &coverage.0 {
        let message = rule.split_once(": ").map_or("", |(_, message)| message);
        let seen = messages.entry(message).or_default();
        *seen = (seen.0 || *kept > 0, seen.1 || *broken > 0);
    }
    let both = messages.values().filter(|(kept, broken)| *kept && *broken);
    (both.count(), messages.len())
}

fn run(options: &Options) -> Result<Report, String> {
    let channel = if options.experimental {
        Channel::Experimental
    } else {
        Channel::Standard
    };
    let module = upstream::module()?;
    let crds = upstream::crds(&module, channel)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules =
        std::fs::read_to_string(root.join("rules.json")).map_err(|error| error.to_string())?;
    let seeds: Vec<Vec<Value>> = crds.iter().map(|crd| seeds(root, &module, crd)).collect();
    let mut client = Client::connect(&options.address)
        .map_err(|error| format!("{}: {error}", options.address))?;
    let kinds = crds.iter().zip(&seeds).map(|(crd, seeds)| Kind {
        crd,
        objects: Objects::new(crd, seeds),
        stored: store(&mut client, crd, seeds, options.seed),
    });
    let judge = Judge {
        options,
        channel,
        messages: answer::messages(&rules),
        kinds: kinds.collect(),
    };
    for kind in judge.kinds.iter().filter(|kind| kind.stored.is_none()) {
        println!(
            "no object of {}/{} could be stored, so there are no updates",
            kind.crd.kind, kind.crd.version
        );
    }
    let mut report = Report::default();
    for kind in &judge.kinds {
        report.coverage.declare(kind.crd);
    }
    let report = Mutex::new(report);
    std::thread::scope(|scope| {
        for lane in 0..options.connections {
            let (judge, report) = (&judge, &report);
            scope.spawn(move || judge.lane(lane, report));
        }
    });
    report.into_inner().map_err(|error| error.to_string())
}

/// Sound objects of a kind: the documents of the wire tests and upstream's examples.
fn seeds(root: &Path, module: &Path, crd: &Crd) -> Vec<Value> {
    let wire = root
        .join("../core/tests/wire")
        .join(format!("{}.json", crd.kind));
    let text = std::fs::read_to_string(wire).unwrap_or_default();
    let mut seeds: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
    for file in upstream::files(&module.join("examples")).unwrap_or_default() {
        let documents = upstream::read(&file).unwrap_or_default();
        let of_kind = documents
            .iter()
            .filter(|document| document.kind() == Some(crd.kind.as_str()));
        seeds.extend(of_kind.map(Document::to_json));
    }
    for seed in &mut seeds {
        if let Some(fields) = seed.as_object_mut() {
            fields.remove("status");
        }
    }
    seeds
}

fn url(crd: &Crd) -> String {
    let namespace = if crd.namespaced {
        "namespaces/default/"
    } else {
        ""
    };
    format!(
        "/apis/{}/{}/{namespace}{}",
        crd.group, crd.version, crd.plural
    )
}

/// Makes the server hold the first seed that it takes, under a name of this run.
fn store(client: &mut Client, crd: &Crd, seeds: &[Value], run: u64) -> Option<Value> {
    seeds.iter().find_map(|seed| {
        let mut object = json!({
            "apiVersion": format!("{}/{}", crd.group, crd.version),
            "kind": crd.kind,
            "metadata": {"name": format!("stored-{}-{run}", crd.version)},
            "spec": seed["spec"],
        });
        if crd.namespaced {
            object["metadata"]["namespace"] = json!("default");
        }
        let response = client.send("POST", &url(crd), &object.to_string()).ok()?;
        (response.status < 300).then(|| {
            let mut stored = response.body;
            if let Some(metadata) = stored["metadata"].as_object_mut() {
                metadata.remove("managedFields");
            }
            if let Some(fields) = stored.as_object_mut() {
                fields.remove("status");
            }
            stored
        })
    })
}

impl Judge<'_> {
    fn lane(&self, lane: u64, report: &Mutex<Report>) {
        let mut client = match Client::connect(&self.options.address) {
            Ok(client) => client,
            Err(error) => {
                println!("{error}");
                return;
            }
        };
        let mut own = Report::default();
        for kind in &self.kinds {
            own.coverage.declare(kind.crd);
        }
        for number in (lane..self.options.objects)
            .step_by(usize::try_from(self.options.connections).unwrap_or(1))
        {
            let seed = self.options.seed + number;
            if let Err(error) = self.compare(seed, &mut client, &mut own) {
                own.disagreements.push(format!("seed {seed}: {error}"));
            }
        }
        if let Ok(mut report) = report.lock() {
            report.compared += own.compared;
            report.updates += own.updates;
            report.coverage.add(&own.coverage);
            report.disagreements.extend(own.disagreements);
            for (class, count) in own.classes {
                *report.classes.entry(class).or_default() += count;
            }
        }
    }

    fn compare(&self, seed: u64, client: &mut Client, report: &mut Report) -> std::io::Result<()> {
        let mut rng = StdRng::seed_from_u64(seed);
        let kind = &self.kinds[rng.random_range(0..self.kinds.len())];
        let stored = kind.stored.as_ref().filter(|_| rng.random_bool(0.2));
        let object = match stored {
            Some(stored) => kind.objects.change(stored, &mut rng),
            None => kind.objects.make(&mut rng),
        };
        // An update of another name is another request.
        let renamed =
            stored.is_some_and(|stored| stored["metadata"]["name"] != object["metadata"]["name"]);
        let stored = stored.filter(|_| !renamed);
        let text = object.to_string();
        let violations = match read(&"object".into(), text.as_bytes(), &Limits::default()) {
            Ok(documents) if documents.len() == 1 => match stored {
                Some(stored) => validate_update(
                    &documents[0],
                    &Document::from_json("stored", stored),
                    self.channel,
                ),
                None => validate(&documents[0], self.channel),
            },
            other => {
                report
                    .disagreements
                    .push(format!("seed {seed}: not one document: {other:?}"));
                return Ok(());
            }
        };
        for strict in [true, false] {
            let validation = if strict { "Strict" } else { "Ignore" };
            let query = format!("?dryRun=All&fieldValidation={validation}");
            let response = match stored {
                Some(stored) => {
                    let name = stored["metadata"]["name"].as_str().unwrap_or_default();
                    client.send("PUT", &format!("{}/{name}{query}", url(kind.crd)), &text)?
                }
                None => client.send("POST", &format!("{}{query}", url(kind.crd)), &text)?,
            };
            let theirs = answer::theirs(&response, &self.messages);
            let ours = answer::ours(&violations, strict);
            if !answer::agree(&theirs, &ours, &violations) {
                report.disagreements.push(format!(
                    "seed {seed}, {validation}{}: {}\nof {text}\n{}",
                    if stored.is_some() { ", update" } else { "" },
                    answer::difference(&theirs, &ours),
                    response.body["message"]
                ));
            }
            match &theirs {
                Answer::Accepted => report.coverage.accepted(kind.crd, &response.body),
                Answer::Refused(found) => {
                    for (field, rule) in found {
                        report.coverage.refused(kind.crd, field, rule);
                    }
                }
                _ => {}
            }
            let class = match &theirs {
                Answer::Accepted => "accepted",
                Answer::Refused(_) => "refused",
                Answer::Unknown(_) => "unknown fields",
                Answer::Unreadable(_) => "unreadable",
            };
            *report.classes.entry(class).or_default() += 1;
            // Behind unknown fields there may be more.
            if !matches!(theirs, Answer::Unknown(_)) {
                break;
            }
        }
        report.compared += 1;
        report.updates += u64::from(stored.is_some());
        Ok(())
    }
}
