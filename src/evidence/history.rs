//! Reads the results of past runs: durations of builds, and the failure of the last attempt.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{BuildHistory, ImageName, RunId};

/// Maximum number of durations for one image.
const MAX_DURATIONS: usize = 5;

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

    use super::build_histories;
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
}
