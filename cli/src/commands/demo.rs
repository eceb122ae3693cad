//! `gatepost demo`: the walkthrough in one process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use gatepost_proxy::{Options, Proxy};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::arguments::Demo;
use crate::output;

const HOST: &str = "reverse-words.apps.gateway-api.test.lab";

/// The manifests, by the name that they have in the folder of each step.
macro_rules! manifest {
    ($name:literal) => {
        ($name, include_str!(concat!("../../walkthrough/", $name)))
    };
}

const STEP_1: [(&str, &str); 4] = [
    manifest!("1-http/app.yaml"),
    manifest!("1-http/class.yaml"),
    manifest!("1-http/gateway.yaml"),
    manifest!("1-http/route.yaml"),
];
const STEP_2: [(&str, &str); 2] = [
    manifest!("2-weights/app-green.yaml"),
    manifest!("2-weights/route-90-10.yaml"),
];
const STEP_3: [(&str, &str); 3] = [
    manifest!("3-https/gateway.yaml"),
    manifest!("3-https/route.yaml"),
    manifest!("3-https/redirect.yaml"),
];

pub(crate) fn run(arguments: Demo) -> u8 {
    super::serve::logging();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::tell(&format!("gatepost: threads cannot be started: {error}"));
            return 2;
        }
    };
    match runtime.block_on(demo(arguments)) {
        Ok(()) => 0,
        Err(message) => {
            output::tell(&format!("gatepost: {message}"));
            2
        }
    }
}

async fn demo(arguments: Demo) -> Result<(), String> {
    let temporary = tempfile::Builder::new()
        .prefix("gatepost-demo-")
        .tempdir()
        .map_err(|error| format!("no temporary folder: {error}"))?;
    let folder = arguments
        .folder
        .clone()
        .unwrap_or_else(|| temporary.path().to_path_buf());
    let (live, steps) = (folder.join("live"), folder.join("steps"));
    lay_out(&live, &steps)
        .map_err(|error| format!("`{}` cannot be written: {error}", folder.display()))?;
    let blue = application("Blue", "v0.0.27")
        .await
        .map_err(|error| error.to_string())?;
    let green = application("Green", "v0.0.28")
        .await
        .map_err(|error| error.to_string())?;
    let endpoint = |release: &str, address: SocketAddr| {
        (
            format!("reverse-words/reverse-words-{release}:8080"),
            vec![address],
        )
    };
    let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let options = Options {
        paths: vec![live.clone()],
        bind,
        port_offset: arguments.port_offset,
        endpoints: BTreeMap::from([endpoint("blue", blue), endpoint("green", green)]),
        admin: Some(SocketAddr::new(bind, 0)),
        ..Options::default()
    };
    let proxy = Proxy::start(options)
        .await
        .map_err(|error| error.to_string())?;
    let missing = [80, 443].map(|port: u16| port.checked_add(arguments.port_offset));
    let [Some(http), Some(https)] = missing else {
        return Err(format!(
            "the port offset {} is too large",
            arguments.port_offset
        ));
    };
    if !proxy.addresses().contains(&SocketAddr::new(bind, http)) {
        return Err(format!(
            "port {http} is taken; choose another by --port-offset"
        ));
    }
    let stopped = super::serve::stopped();
    output::print(&guide(&live, &steps, http, https, proxy.admin()));
    stopped.await;
    proxy.shutdown().await;
    Ok(())
}

/// Puts step 1 into the folder that is served, and the files of later steps beside it. A folder that is there already
/// holds the user's own edits, and stays as it is.
fn lay_out(live: &Path, steps: &Path) -> io::Result<()> {
    for folder in [
        live.to_path_buf(),
        steps.join("2-weights"),
        steps.join("3-https"),
    ] {
        fs::create_dir_all(folder)?;
    }
    let file = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    if fs::read_dir(live)?.next().is_none() {
        for (name, text) in STEP_1 {
            fs::write(live.join(file(name)), text)?;
        }
    }
    for (name, text) in STEP_2.into_iter().chain(STEP_3) {
        fs::write(steps.join(name), text)?;
    }
    let (route, weights) = (STEP_2[1].1, steps.join("2-weights"));
    fs::write(
        weights.join("route-50-50.yaml"),
        route
            .replace("weight: 90", "weight: 50")
            .replace("weight: 10", "weight: 50"),
    )?;
    fs::write(
        weights.join("route-0-100.yaml"),
        route
            .replace("weight: 10", "weight: 100")
            .replace("weight: 90", "weight: 0"),
    )?;
    fs::write(
        steps.join("3-https/certificate.yaml"),
        certificate().map_err(io::Error::other)?,
    )
}

/// A self-signed certificate as a TLS Secret.
fn certificate() -> Result<String, rcgen::Error> {
    let made = rcgen::generate_simple_self_signed(["*.apps.gateway-api.test.lab".to_owned()])?;
    let indented = |text: String| {
        text.lines()
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    Ok(format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: reversewords-gateway-tls\n  namespace: reverse-words\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
        indented(made.cert.pem()),
        indented(made.signing_key.serialize_pem())
    ))
}

/// The sample application: says its release and version; reverses the words that are posted to it.
async fn application(release: &'static str, version: &'static str) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(move |request: Request<Incoming>| async move {
                Ok::<_, Infallible>(reply(request, release, version).await)
            });
            tokio::spawn(async move {
                // How a connection of the sample ends does not matter.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(address)
}

async fn reply(request: Request<Incoming>, release: &str, version: &str) -> Response<Full<Bytes>> {
    let text = if request.method() == Method::POST {
        let body = request
            .into_body()
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        let words = String::from_utf8_lossy(&body)
            .split_whitespace()
            .map(|word| word.chars().rev().collect::<String>())
            .collect::<Vec<_>>();
        words.join(" ") + "\n"
    } else {
        format!("Reverse Words Release: {release}. App version: {version}\n")
    };
    Response::new(Full::new(Bytes::from(text)))
}

fn guide(live: &Path, steps: &Path, http: u16, https: u16, admin: Option<SocketAddr>) -> String {
    let colours = output::colours();
    let head = |text: &str| output::paint(text, "1", colours);
    let (live, steps) = (live.display(), steps.display());
    let admin = admin
        .map(|admin| format!("http://{admin}"))
        .unwrap_or_default();
    let resolve = format!("--resolve {HOST}:{https}:127.0.0.1");
    format!(
        "
{one}
  The application in its blue release is served. In another terminal:

    curl -H 'Host: {HOST}' http://127.0.0.1:{http}/
      Reverse Words Release: Blue. App version: v0.0.27
    curl -i http://127.0.0.1:{http}/                      # any other host: 404

{two}
  A file that is copied into the folder applies at once; no request fails.

    cp {steps}/2-weights/app-green.yaml {live}/
    cp {steps}/2-weights/route-90-10.yaml {live}/route.yaml
    for i in $(seq 1000); do curl -s -H 'Host: {HOST}' http://127.0.0.1:{http}/; done | sort | uniq -c
      900 Blue, 100 Green
    cp {steps}/2-weights/route-50-50.yaml {live}/route.yaml      # 500 and 500
    cp {steps}/2-weights/route-0-100.yaml {live}/route.yaml      # green only

{three}
    cp {steps}/3-https/certificate.yaml {steps}/3-https/gateway.yaml {steps}/3-https/route.yaml {live}/
    curl -k {resolve} https://{HOST}:{https}/
      Reverse Words Release: Green. App version: v0.0.28
    curl -i -H 'Host: {HOST}' http://127.0.0.1:{http}/            # 404: nothing is attached to http any more
    cp {steps}/3-https/redirect.yaml {live}/
    curl -i -H 'Host: {HOST}' http://127.0.0.1:{http}/            # 302 to https://{HOST}/
    curl -Lk --connect-to {HOST}:443:127.0.0.1:{https} --resolve {HOST}:80:127.0.0.1 --connect-to {HOST}:80:127.0.0.1:{http} http://{HOST}/

{look}
    curl {admin}/status      # what a controller would write: conditions, attached routes
    curl {admin}/table       # what is served
    gatepost explain -f {live} GET http://{HOST}/
    edit the files in {live}; mistakes are reported here and what was served keeps serving

  Ctrl-C ends the demo.
",
        one = head("Step 1: expose an application"),
        two = head("Step 2: move traffic from blue to green by weights"),
        three = head("Step 3: end TLS, then redirect"),
        look = head("Look around"),
    )
}
