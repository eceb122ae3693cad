//! The binary `gatepost`.

fn main() -> std::process::ExitCode {
    gatepost_cli::main(std::env::args_os()).into()
}
