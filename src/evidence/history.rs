//! Reads the results of past runs: durations of builds, and the failure of the last attempt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{BuildHistory, ImageName, RunId};

/// Maximum number of durations for one image.
const MAX_DURATIONS: usize = 5;
/// Number of results that histories are built from.
pub const MAX_RESULTS: usize = 20;
/// Version of the format of [`RecentResults`].
const RECENT_SCHEMA: u32 = 1;
/// Keys of an image in a result that histories are built from.
const HISTORY_KEYS: [&str; 4] = ["image", "status", "seconds", "failure"];

/// Results of the newest runs, reduced to what histories are built from.
#[derive(Serialize, Deserialize)]
struct RecentResults {
    schema: u32,
    /// Results, newest first. Run IDs sort by time.
    results: Vec<(RunId, Value)>,
}

/// Parses the results of the newest runs, newest first. Returns none for another format.
#[must_use]
pub fn parse_recent(bytes: &[u8]) -> Option<Vec<(RunId, Value)>> {
    let recent: RecentResults = serde_json::from_slice(bytes).ok()?;
    (recent.schema == RECENT_SCHEMA).then_some(recent.results)
}

/// Adds the result of a run to those of the newest runs, and formats them for the store.
#[must_use]
pub fn add_recent(mut results: Vec<(RunId, Value)>, run: &RunId, report: &Value) -> Vec<u8> {
    results.retain(|(other, _)| other != run);
    results.push((run.clone(), report.clone()));
    results.sort_by(|a, b| b.0.cmp(&a.0));
    results.truncate(MAX_RESULTS);
    for (_, report) in &mut results {
        reduce_report(report);
    }
    let recent = RecentResults {
        schema: RECENT_SCHEMA,
        results,
    };
    serde_json::to_vec(&recent).unwrap_or_default()
}

/// Removes everything from a result that histories are not built from.
fn reduce_report(report: &mut Value) {
    let images = report.get_mut("images").and_then(Value::as_array_mut);
    let mut images = images.map(std::mem::take).unwrap_or_default();
    for image in images.iter_mut().filter_map(Value::as_object_mut) {
        image.retain(|key, _| HISTORY_KEYS.contains(&key.as_str()));
    }
    *report = serde_json::json!({ "images": images });
}

/// Returns the build history of each image. `reports` are ordered newest first; invalid reports are ignored.
#[must_use]
pub fn build_histories(reports: &[(RunId, Value)]) -> BTreeMap<ImageName, BuildHistory> {
    let mut out: BTreeMap<ImageName, BuildHistory> = BTreeMap::new();
    let mut decided: std::collections::BTreeSet<ImageName> = std::collections::BTreeSet::new();
    for (run, report) in reports {
        for image in report
            .get("images")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |key: &str| image.get(key).and_then(Value::as_str);
            let Some(name) = text("image").map(ImageName::from) else {
                continue;
            };
            let status = text("status").unwrap_or("");
            let history = out.entry(name.clone()).or_default();
            match status {
                "released" => {
                    let seconds = image
                        .get("seconds")
                        .and_then(Value::as_u64)
                        .filter(|s| *s > 0);
                    history
                        .seconds
                        .extend(seconds.filter(|_| history.seconds.len() < MAX_DURATIONS));
                    decided.insert(name);
                }
                "failed" | "stuck" if decided.insert(name.clone()) => {
                    history.failed = Some((
                        run.clone(),
                        text("failure").unwrap_or("no reason given").to_owned(),
                    ));
                }
                _ => {}
            }
        }
    }
    out.retain(|_, history| *history != BuildHistory::default());
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MAX_RESULTS, add_recent, build_histories, parse_recent};
    use crate::model::{ImageName, RunId};

    #[test]
    fn newest_attempt_decides_and_only_builds_have_durations() {
        let image = |name: &str, status: &str, seconds: u64| json!({"image": name, "status": status, "seconds": seconds, "failure": "it broke"});
        let run = |id: &str, images: Vec<serde_json::Value>| {
            (RunId::from(id), json!({ "images": images }))
        };
        let found = build_histories(&[
            run(
                "3",
                vec![
                    image("a", "kept", 0),
                    image("b", "failed", 9),
                    image("c", "released", 30),
                ],
            ),
            run(
                "2",
                vec![
                    image("a", "released", 60),
                    image("b", "released", 50),
                    image("c", "failed", 1),
                ],
            ),
            (RunId::from("1"), json!("nonsense")),
            run("0", vec![image("a", "failed", 0), image("d", "kept", 0)]),
        ]);
        let history_of = |name: &str| {
            found
                .get(&ImageName::from(name))
                .cloned()
                .unwrap_or_default()
        };
        assert_eq!(
            (history_of("a").seconds, history_of("a").failed),
            (vec![60], None)
        );
        assert_eq!(
            (history_of("b").seconds, history_of("b").failed),
            (vec![50], Some((RunId::from("3"), "it broke".to_owned())))
        );
        assert_eq!(
            (history_of("c").seconds, history_of("c").failed),
            (vec![30], None)
        );
        assert!(!found.contains_key(&ImageName::from("d")));
    }

    #[test]
    fn recent_results_give_the_same_histories() {
        let report = |n: usize| json!({"run": "x", "images": [{"image": format!("i{}", n % 3), "status": "released", "seconds": n, "ami": "ami-1"}]});
        let (mut stored, mut all) = (Vec::new(), Vec::new());
        for n in 1..=2 * MAX_RESULTS {
            let run = RunId::from(format!("{n:03}").as_str());
            let before = parse_recent(&stored).unwrap_or_default();
            stored = add_recent(before, &run, &report(n));
            all.insert(0, (run, report(n)));
        }
        let recent = parse_recent(&stored).expect("own format");
        assert_eq!(recent.len(), MAX_RESULTS);
        assert_eq!(
            build_histories(&recent),
            build_histories(&all[..MAX_RESULTS])
        );
        assert!(!String::from_utf8_lossy(&stored).contains("ami-1"));
        assert_eq!(parse_recent(br#"{"schema": 2, "results": []}"#), None);
        let again = add_recent(recent.clone(), &recent[0].0, &report(1));
        assert_eq!(parse_recent(&again).map(|r| r.len()), Some(MAX_RESULTS));
    }
}
