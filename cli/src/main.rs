//! The binary `gatepost`.

/// Cheaper than most systems' own, in the binary alone: who embeds the library chooses for themselves.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    gatepost_cli::main(std::env::args_os()).into()
}
