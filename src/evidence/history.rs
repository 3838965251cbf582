//! Owns reading past runs' reports: how long each image's builds took, and whether the last attempt failed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{ImageName, Past, RunId};

/// The most durations that are worth remembering of one image.
const MOST: usize = 5;

/// What the reports, newest first, say of each image. A report that is not understood says nothing.
#[must_use]
pub fn past(reports: &[(RunId, Value)]) -> BTreeMap<ImageName, Past> {
    let mut out: BTreeMap<ImageName, Past> = BTreeMap::new();
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
            let past = out.entry(name.clone()).or_default();
            match status {
                "released" => {
                    let seconds = image
                        .get("seconds")
                        .and_then(Value::as_u64)
                        .filter(|s| *s > 0);
                    past.seconds
                        .extend(seconds.filter(|_| past.seconds.len() < MOST));
                    decided.insert(name);
                }
                "failed" | "stuck" if decided.insert(name.clone()) => {
                    past.failed = Some((
                        run.clone(),
                        text("failure").unwrap_or("no reason given").to_owned(),
                    ));
                }
                _ => {}
            }
        }
    }
    out.retain(|_, past| *past != Past::default());
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::past;
    use crate::model::{ImageName, RunId};

    #[test]
    fn the_newest_attempt_decides_and_only_builds_have_durations() {
        let image = |name: &str, status: &str, seconds: u64| json!({"image": name, "status": status, "seconds": seconds, "failure": "it broke"});
        let run = |id: &str, images: Vec<serde_json::Value>| {
            (RunId::from(id), json!({ "images": images }))
        };
        let found = past(&[
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
        let of = |name: &str| {
            found
                .get(&ImageName::from(name))
                .cloned()
                .unwrap_or_default()
        };
        assert_eq!((of("a").seconds, of("a").failed), (vec![60], None));
        assert_eq!(
            (of("b").seconds, of("b").failed),
            (vec![50], Some((RunId::from("3"), "it broke".to_owned())))
        );
        assert_eq!((of("c").seconds, of("c").failed), (vec![30], None));
        assert!(!found.contains_key(&ImageName::from("d")));
    }
}
