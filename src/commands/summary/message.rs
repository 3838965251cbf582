//! Computes the values of the Slack message about a run.

use super::locations::LocationSummary;
use super::{ImageSummary, RunSummary};
use crate::model::Inventory;
use crate::render::slack::Values;

/// Returns the values of the Slack message.
pub(super) fn slack_values(report: &RunSummary, inventory: &Inventory) -> Values {
    let changed: Vec<&ImageSummary> = report
        .images
        .iter()
        .filter(|i| {
            !matches!(
                i.status,
                "kept" | "failed" | "stuck" | "cancelled" | "not started"
            )
        })
        .collect();
    let failed = report
        .images
        .iter()
        .filter(|i| matches!(i.status, "failed" | "stuck"))
        .count();
    let verb = changed.first().map_or("released", |i| i.status);
    let outcome = if failed > 0 {
        format!(", {failed} failed")
    } else {
        String::new()
    };
    let line = |i: &ImageSummary| {
        let version = i.version.map_or_else(String::new, |v| v.to_string());
        let ami = i.ami.as_ref().map_or_else(String::new, ToString::to_string);
        let locations: String = i
            .locations
            .iter()
            .filter_map(|p| Some(format!(", {} {}", p.ami.as_ref()?, p.location)))
            .collect();
        let changes = i
            .changed
            .as_ref()
            .map_or_else(String::new, |what| format!("; changes: {what}"));
        format!(
            "{} {version} {ami} {}{locations} ({}{changes})",
            i.image,
            i.region,
            i.reasons.join("; ")
        )
    };
    let commit = inventory.commit.as_ref().map_or_else(String::new, |c| {
        format!(" · commit {}", c.id.chars().take(12).collect::<String>())
    });
    Values {
        headline: format!(
            "{}: {} {verb} to {}{outcome}",
            report.catalog,
            changed.len(),
            report.environment
        ),
        lines: changed.into_iter().map(line).collect(),
        failures: report
            .images
            .iter()
            .flat_map(|i| {
                let own = i
                    .failure
                    .as_ref()
                    .map(|f| format!("{} {}: {f}", i.image, i.status));
                let failed = |p: &LocationSummary| {
                    Some(format!(
                        "{} {} in {}: {}",
                        i.image,
                        p.status,
                        p.location,
                        p.failure.as_ref()?
                    ))
                };
                own.into_iter()
                    .chain(i.locations.iter().filter_map(failed))
                    .collect::<Vec<_>>()
            })
            .collect(),
        footer: format!("run {}{commit} · {}", report.run, inventory.caller),
    }
}
