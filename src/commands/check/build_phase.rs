//! Implements `bakeline check-build`: runs the build-phase checks on the build instance. Packer
//! calls it from a shell-local provisioner after clean-up.

use tokio_util::sync::CancellationToken;

use crate::adapters::ssh::OpenSsh;
use crate::adapters::system::{self, SystemClock};
use crate::cli::CheckBuild;
use crate::commands::support::context;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::Clock as _;
use crate::steps::check::controls::{CheckRequest, check_build_instance as collect_and_judge};
use crate::ui;

pub(crate) async fn run(args: &CheckBuild) -> Result<u8> {
    let bytes = context::read_file(&args.request)?;
    let request: CheckRequest = serde_json::from_slice(&bytes).map_err(|e| {
        Error::input(format!("{} is not a check request", args.request.display())).because(e)
    })?;
    let report = collect_and_judge(
        &OpenSsh,
        &request,
        &args.host,
        args.port,
        &CancellationToken::new(),
    )
    .await?;
    let text = serde_json::to_vec_pretty(&report).unwrap_or_default();
    let written = system::write_atomically(&request.evidence, &text, 0o600);
    written
        .map_err(|e| Error::new(ErrorKind::StepFailed, "cannot write the evidence").because(e))?;
    let now = SystemClock.now();
    ui::say(&report.summary(request.gate, now));
    let bad = report.blocking_lines(request.gate, now);
    if bad.is_empty() {
        return Ok(0);
    }
    Err(Error::new(
        ErrorKind::ChecksFailed,
        format!(
            "build checks of `{}` failed: {}",
            request.image,
            bad.join("; ")
        ),
    ))
}
