//! Parses the command line, runs it, and turns the outcome into an exit code; nothing else.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(bakeline::main())
}
