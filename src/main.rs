//! Runs the bakeline command line.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(bakeline::main())
}
