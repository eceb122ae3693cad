//! What can be typed.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The Kubernetes Gateway API, on one machine or in a cluster: check routes, explain requests, serve them.
#[derive(Debug, Parser)]
#[command(
    name = "gatepost",
    version,
    propagate_version = true,
    after_help = "Examples:
  gatepost check -f routes/
  gatepost explain -f routes/ GET https://shop.example.com/cart -H 'x-canary: 1'
  gatepost serve -f routes/ --port-offset 8000
  gatepost serve --kubernetes --address-pool 10.1.0.0/16
  gatepost demo"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the Gateways of some manifests, or of Kubernetes; edits apply while it runs
    Serve(Serve),
    /// Tell every problem, with file, line and column (exit code 1 if there is an error, 2 if a file is unreadable)
    Check(Check),
    /// Print the statuses that a controller would write, as a List
    Status(Status),
    /// Tell which rule serves a request, and why no other does
    Explain(Explain),
    /// List the rules in the order in which they are tried
    Routes(Routes),
    /// Walk through the Gateway API: an application in two releases, a gateway, files to edit
    Demo(Demo),
}

/// Where manifests are.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// A file, a folder (with what is below it), or `-` for standard input; repeatable
    #[arg(short = 'f', long = "file", value_name = "PATH", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// How resources are understood.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    /// The controller whose classes are ours
    #[arg(long, value_name = "NAME", default_value = gatepost::controller::CONTROLLER_NAME)]
    pub(crate) controller_name: String,
    /// The channel of the CRDs that manifests are judged by
    #[arg(long, value_enum, default_value_t = Channel::Experimental)]
    pub(crate) channel: Channel,
    /// How request paths are brought into canonical form, such as `encodedSlash=keep,mergeSlashes=false`
    #[arg(long, value_name = "POLICY", value_parser = gatepost::controller::parse_path_policy)]
    pub(crate) path_policy: Option<gatepost::target::PathPolicy>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Channel {
    Standard,
    Experimental,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["files", "kubernetes"]))]
pub(crate) struct Serve {
    /// A file or a folder (with what is below it); repeatable
    #[arg(short = 'f', long = "file", value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,
    /// Serve the Gateways of the API server: of the cluster that this runs in, or of $KUBECONFIG
    #[arg(long, conflicts_with_all = ["endpoints", "status_file", "port_offset", "bind"])]
    pub(crate) kubernetes: bool,
    /// Where Gateways without `spec.addresses` get theirs from, each one of its own: addresses that this machine has
    #[arg(long, value_name = "CIDR", requires = "kubernetes")]
    pub(crate) address_pool: Option<gatepost_proxy::kubernetes::AddressPool>,
    /// The namespace of the Lease that says which replica writes statuses (default: that of the account)
    #[arg(long, value_name = "NAME", requires = "kubernetes")]
    pub(crate) lease_namespace: Option<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Where Gateways without addresses of their own listen
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    pub(crate) bind: IpAddr,
    /// Added to every port that is bound, so that nobody needs to be root
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) port_offset: u16,
    /// Where a Service port is that no EndpointSlice lists; repeatable
    #[arg(long = "endpoint", value_name = "NAMESPACE/SERVICE:PORT=ADDRESS:PORT", value_parser = endpoint)]
    pub(crate) endpoints: Vec<(String, SocketAddr)>,
    /// Where health, metrics, statuses and the table are told
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9901")]
    pub(crate) admin: SocketAddr,
    /// A file that statuses are written to, as a YAML stream, whenever they change
    #[arg(long, value_name = "PATH")]
    pub(crate) status_file: Option<PathBuf>,
    /// Log a line for each request
    #[arg(long)]
    pub(crate) access_log: bool,
    /// Forwarded, X-Forwarded-* and X-Real-IP of clients: dropped and written anew, or believed and added to
    #[arg(long, value_enum, default_value_t = Forwarded::Replace)]
    pub(crate) forwarded: Forwarded,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Forwarded {
    Replace,
    Append,
}

fn endpoint(text: &str) -> Result<(String, SocketAddr), String> {
    let wrong = || {
        format!(
            "`{text}` is not of the form NAMESPACE/SERVICE:PORT=ADDRESS:PORT, such as shop/cart:8080=127.0.0.1:9000"
        )
    };
    let (port, address) = text.split_once('=').ok_or_else(wrong)?;
    let (name, number) = port.rsplit_once(':').ok_or_else(wrong)?;
    let named = name
        .split_once('/')
        .is_some_and(|(namespace, service)| !namespace.is_empty() && !service.is_empty());
    if !named || number.parse::<u16>().is_err() {
        return Err(wrong());
    }
    Ok((port.to_owned(), address.parse().map_err(|_| wrong())?))
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) input: Input,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) input: Input,
    /// The form of the output
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Format::Yaml)]
    pub(crate) output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    Yaml,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) input: Input,
    /// The request: `GET https://host/path`, or the URL alone
    #[arg(value_name = "METHOD URL", required = true, num_args = 1..=2)]
    pub(crate) request: Vec<String>,
    /// A header field of the request; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// The server name of the TLS connection (default: the URL's host)
    #[arg(long, value_name = "NAME")]
    pub(crate) sni: Option<String>,
    /// The form of the output
    #[arg(short = 'o', long = "output", value_enum, default_value_t = TextFormat::Text)]
    pub(crate) output: TextFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Routes {
    #[command(flatten)]
    pub(crate) input: Input,
    /// The form of the output
    #[arg(short = 'o', long = "output", value_enum, default_value_t = TextFormat::Text)]
    pub(crate) output: TextFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The folder with the manifests (default: a temporary one)
    #[arg(long, value_name = "PATH")]
    pub(crate) folder: Option<PathBuf>,
    /// Added to the ports 80 and 443
    #[arg(long, value_name = "N", default_value_t = 8000)]
    pub(crate) port_offset: u16,
}
