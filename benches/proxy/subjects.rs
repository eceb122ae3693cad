//! The proxies, each with the same routes: a prefix for each, all to one backend.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::json;
use tempfile::TempDir;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Arguments;
use crate::load::{self, Kind};

/// The host of all requests.
pub(crate) const HOST: &str = "bench.test";
/// Connections that are open over a reload.
const HELD: usize = 100;

type Failure = Box<dyn std::error::Error>;

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Name {
    Gatepost,
    Nginx,
    Haproxy,
    Envoy,
}

/// What a proxy has to do.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) backend: SocketAddr,
    pub(crate) routes: usize,
    pub(crate) arguments: &'a Arguments,
}

/// A proxy that serves.
#[derive(Debug)]
pub(crate) struct Running {
    name: Name,
    child: Child,
    ports: [u16; 3],
    tls: Arc<ClientConfig>,
    folder: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Some have children, which they end themselves if they are asked to.
        let process = self.process().to_string();
        let _ = Command::new("kill").args(["-TERM", &process]).status();
        let _ = self.child.wait();
    }
}

impl Running {
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn port(&self, kind: Kind) -> u16 {
        let [http1, tls, http2] = self.ports;
        match kind {
            Kind::Http1 => http1,
            Kind::Tls => tls,
            Kind::Http2 => http2,
        }
    }

    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        self.tls.clone()
    }

    /// Adds a route to those that are served: milliseconds until it is, and connections that were closed by that. `None` if
    /// the proxy is not measured here.
    pub(crate) async fn reload(
        &self,
        setup: &Setup<'_>,
        round: usize,
    ) -> Result<Option<(f64, usize)>, Failure> {
        let added = format!("/added{round}");
        let port = self.port(Kind::Http1);
        let mut held = load::rest(self, HELD).await?;
        let start = Instant::now();
        match self.name {
            Name::Gatepost => write(
                self.folder.path(),
                "added.yaml",
                &route("added", std::slice::from_ref(&added)),
            )?,
            Name::Nginx => {
                let text = nginx(
                    setup,
                    self.ports,
                    self.folder.path(),
                    std::slice::from_ref(&added),
                );
                write(self.folder.path(), "nginx.conf", &text)?;
                let process = self.process().to_string();
                Command::new("kill").args(["-HUP", &process]).status()?;
            }
            Name::Haproxy | Name::Envoy => return Ok(None),
        }
        while load::status(port, &added).await != Some(200) {
            if start.elapsed() > Duration::from_secs(30) {
                return Err("the reload is not served".into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took = start.elapsed().as_secs_f64() * 1000.0;
        let mut closed = 0;
        for stream in &mut held {
            closed += usize::from(!load::alive(stream).await);
        }
        Ok(Some((took, closed)))
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}

fn write(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let draft = folder.join(format!(".{name}.draft"));
    std::fs::write(&draft, text)?;
    std::fs::rename(draft, folder.join(name))
}

/// Starts a proxy and waits until it serves; `None` if its program is not there.
pub(crate) async fn start(name: Name, setup: &Setup<'_>) -> Result<Option<Running>, Failure> {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    let ports = [free_port()?, free_port()?, free_port()?];
    let key = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    let (chain, private) = (key.cert.pem(), key.signing_key.serialize_pem());
    let (program, arguments): (PathBuf, Vec<String>) = match name {
        Name::Gatepost => {
            write(at, "all.yaml", &gatepost(setup, ports, &chain, &private))?;
            let admin = format!("127.0.0.1:{}", free_port()?);
            let arguments = [
                "serve",
                "--bind",
                "127.0.0.1",
                "--admin",
                &admin,
                "-f",
                &text(at),
            ];
            (
                setup.arguments.gatepost.clone(),
                arguments.map(str::to_owned).into(),
            )
        }
        Name::Nginx => {
            write(at, "chain.pem", &chain)?;
            write(at, "key.pem", &private)?;
            write(at, "nginx.conf", &nginx(setup, ports, at, &[]))?;
            let arguments = [
                "-e",
                &text(&at.join("error")),
                "-c",
                &text(&at.join("nginx.conf")),
            ];
            ("nginx".into(), arguments.map(str::to_owned).into())
        }
        Name::Haproxy => {
            write(at, "both.pem", &format!("{chain}{private}"))?;
            write(
                at,
                "routes.map",
                &(0..setup.routes)
                    .map(|number| format!("{}/ b\n", prefix(number)))
                    .collect::<String>(),
            )?;
            write(at, "haproxy.cfg", &haproxy(setup, ports, at))?;
            (
                "haproxy".into(),
                vec![
                    "-db".to_owned(),
                    "-f".to_owned(),
                    text(&at.join("haproxy.cfg")),
                ],
            )
        }
        Name::Envoy => {
            write(
                at,
                "envoy.json",
                &envoy(setup, ports, &chain, &private).to_string(),
            )?;
            let arguments = [
                "-c",
                &text(&at.join("envoy.json")),
                "--concurrency",
                "1",
                "-l",
                "error",
                "--disable-hot-restart",
            ];
            (
                setup.arguments.envoy.clone(),
                arguments.map(str::to_owned).into(),
            )
        }
    };
    let mut command = match setup.arguments.cpu {
        Some(cpu) => {
            let mut command = Command::new("taskset");
            command.args(["-c", &cpu.to_string()]).arg(&program);
            command
        }
        None => Command::new(&program),
    };
    command
        .args(arguments)
        .env("RUST_LOG", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(child) = command.spawn() else {
        return Ok(None);
    };
    let mut roots = RootCertStore::empty();
    roots.add(key.cert.der().clone())?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut running = Running {
        name,
        child,
        ports,
        tls: Arc::new(tls),
        folder,
    };
    let start = Instant::now();
    while load::status(ports[0], &format!("{}/x", prefix(0))).await != Some(200) {
        if running.child.try_wait()?.is_some() || start.elapsed() > Duration::from_secs(30) {
            eprintln!("{name:?} does not serve and is left out");
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(Some(running))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn prefix(number: usize) -> String {
    format!("/r{number:05}")
}

/// One HTTPRoute with a rule for each prefix.
fn route(name: &str, prefixes: &[String]) -> String {
    let mut text = format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: app}}\nspec:\n  \
         parentRefs: [{{name: gw}}]\n  hostnames: [{HOST}]\n  rules:\n"
    );
    for prefix in prefixes {
        let _ = writeln!(
            text,
            "  - {{matches: [{{path: {{value: {prefix}}}}}], backendRefs: [{{name: b, port: 80}}]}}"
        );
    }
    text
}

fn gatepost(setup: &Setup<'_>, [http1, tls, http2]: [u16; 3], chain: &str, key: &str) -> String {
    let mut text = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: gw, namespace: app}}\nspec:\n  \
         gatewayClassName: gatepost\n  listeners:\n  - {{name: http1, port: {http1}, protocol: HTTP}}\n  \
         - {{name: http2, port: {http2}, protocol: HTTP}}\n  \
         - {{name: tls, port: {tls}, protocol: HTTPS, tls: {{certificateRefs: [{{name: crt}}]}}}}\n\
         ---\napiVersion: v1\nkind: Secret\nmetadata: {{name: crt, namespace: app}}\ntype: kubernetes.io/tls\n\
         stringData: {{tls.crt: {chain:?}, tls.key: {key:?}}}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata: {{name: b, namespace: app}}\nspec: {{ports: [{{name: http, port: 80}}]}}\n\
         ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: b-1, namespace: app, labels: {{kubernetes.io/service-name: b}}}}\naddressType: IPv4\n\
         endpoints: [{{addresses: [127.0.0.1]}}]\nports: [{{name: http, port: {}}}]\n",
        setup.backend.port()
    );
    let prefixes: Vec<String> = (0..setup.routes).map(prefix).collect();
    // A route has 16 rules at the most.
    for (number, rules) in prefixes.chunks(16).enumerate() {
        text += &route(&format!("r{number}"), rules);
    }
    text
}

fn nginx(
    setup: &Setup<'_>,
    [http1, tls, http2]: [u16; 3],
    folder: &Path,
    added: &[String],
) -> String {
    let folder = text(folder);
    let mut out = format!(
        "worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error;\n\
         events {{ worker_connections 20000; }}\n\
         http {{\naccess_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;\n\
         fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;\n\
         upstream b {{ server {}; keepalive 256; keepalive_requests 1000000000; }}\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
         proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;\n\
         server {{\nlisten 127.0.0.1:{http1}; listen 127.0.0.1:{http2} http2; listen 127.0.0.1:{tls} ssl;\n\
         server_name {HOST}; ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;\n",
        setup.backend
    );
    for prefix in (0..setup.routes).map(prefix).chain(added.iter().cloned()) {
        let _ = writeln!(out, "location ^~ {prefix} {{ proxy_pass http://b; }}");
    }
    out + "location / { return 404; }\n}\n}\n"
}

fn haproxy(setup: &Setup<'_>, [http1, tls, http2]: [u16; 3], folder: &Path) -> String {
    let folder = text(folder);
    format!(
        "global\n  nbthread 1\n  maxconn 5000\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  http-reuse always\n  option forwardfor\n\
         frontend f\n  bind 127.0.0.1:{http1}\n  bind 127.0.0.1:{http2} proto h2\n  bind 127.0.0.1:{tls} ssl crt {folder}/both.pem\n  \
         acl host hdr(host) -i {HOST}\n  http-request deny deny_status 404 if !host\n  \
         http-request set-header X-Forwarded-Proto http\n  http-request set-header X-Forwarded-Host %[hdr(host)]\n  \
         use_backend %[path,map_beg({folder}/routes.map)]\n\
         backend b\n  server s {} pool-max-conn 256\n",
        setup.backend
    )
}

fn envoy(
    setup: &Setup<'_>,
    [http1, tls, http2]: [u16; 3],
    chain: &str,
    key: &str,
) -> serde_json::Value {
    let routes: Vec<serde_json::Value> = (0..setup.routes)
        .map(|number| json!({"match": {"path_separated_prefix": prefix(number)}, "route": {"cluster": "b"}}))
        .collect();
    let manager = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "f", "codec_type": "AUTO", "use_remote_address": true,
            "route_config": {"virtual_hosts": [{"name": "v", "domains": [HOST], "routes": routes}]},
            "http_filters": [{"name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]
        }
    });
    let socket =
        |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let clear = |port: u16| json!({"name": port.to_string(), "address": socket(port), "filter_chains": [{"filters": [manager]}]});
    let secure = json!({"name": "tls", "address": socket(tls), "filter_chains": [{"filters": [manager], "transport_socket": {
    "name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"tls_certificates": [{"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}]}
    }}}]});
    json!({"static_resources": {
        "listeners": [clear(http1), clear(http2), secure],
        "clusters": [{"name": "b", "type": "STATIC", "connect_timeout": "5s", "load_assignment": {"cluster_name": "b",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(setup.backend.port())}}]}]}}]
    }})
}
