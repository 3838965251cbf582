//! Owns the tests of telling: Slack's answers, patience with limits, and that no answer fails a run or shows the URL.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::assets;
use crate::catalog::{Catalog, load};
use crate::ports::{Http, HttpAnswer, Secret};
use crate::render::slack::Values;

const URL: &str = "https://hooks.example.com/services/T0/B0/very-secret";

/// Answers from a list, the last one for ever; counts what was posted and how long was waited.
struct Answers {
    list: Mutex<Vec<Result<HttpAnswer, String>>>,
    posted: Mutex<usize>,
    waited: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Http for Answers {
    async fn post_json(
        &self,
        url: &Secret,
        body: &serde_json::Value,
    ) -> Result<HttpAnswer, String> {
        assert_eq!(url.reveal(), URL);
        assert!(body["blocks"].is_array());
        *self.posted.lock().expect("no panic") += 1;
        let mut list = self.list.lock().expect("no panic");
        if list.len() > 1 {
            list.remove(0)
        } else {
            list[0].clone()
        }
    }

    async fn pause(&self, time: Duration) {
        self.waited.lock().expect("no panic").push(time);
    }
}

fn answer(status: u16, retry_after: Option<u64>) -> Result<HttpAnswer, String> {
    Ok(HttpAnswer {
        status,
        retry_after,
        body: "words".to_owned(),
    })
}

fn answers(list: &[Result<HttpAnswer, String>]) -> Answers {
    Answers {
        list: Mutex::new(list.to_vec()),
        posted: Mutex::default(),
        waited: Mutex::default(),
    }
}

fn catalog() -> Catalog {
    let settings = "name: acme\nregions: [eu-west-1]\nnotifiers:\n  - slack: {webhook_env: HOOK}\n";
    let shipped = assets::shipped_paths().into_iter();
    let mut files: BTreeMap<String, Vec<u8>> = shipped
        .filter_map(|p| Some((p.clone(), assets::shipped(&p)?.into_owned())))
        .collect();
    files.insert("bakeline.yaml".to_owned(), settings.as_bytes().to_vec());
    files.insert(
        "images/jdk.yaml".to_owned(),
        b"source: {owner: amazon, name: x-*}\n".to_vec(),
    );
    let (catalog, findings) = load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
}

fn values() -> Values {
    Values {
        headline: "h".to_owned(),
        lines: vec!["l".to_owned()],
        failures: Vec::new(),
        footer: "f".to_owned(),
    }
}

#[tokio::test]
async fn slack_is_asked_again_only_where_that_helps_and_never_for_long() {
    let refused = Err("connection refused".to_owned());
    for (list, posts, seconds, fails) in [
        (vec![answer(200, None)], 1, vec![], false),
        (
            vec![answer(429, Some(7)), answer(200, None)],
            2,
            vec![7],
            false,
        ),
        (
            vec![answer(429, Some(9999)), answer(200, None)],
            2,
            vec![30],
            false,
        ),
        (
            vec![answer(429, None), answer(200, None)],
            2,
            vec![1],
            false,
        ),
        (vec![answer(503, None)], 4, vec![1, 2, 3], true),
        (vec![refused.clone()], 4, vec![1, 2, 3], true),
        (vec![refused, answer(200, None)], 2, vec![1], false),
        (vec![answer(404, None)], 1, vec![], true),
        (vec![answer(400, None)], 1, vec![], true),
    ] {
        let http = answers(&list);
        let told = super::slack::tell(&catalog(), &values(), &Secret::new(URL), &http).await;
        assert_eq!(told.is_err(), fails, "{list:?}: {told:?}");
        assert_eq!(*http.posted.lock().expect("no panic"), posts, "{list:?}");
        let waited: Vec<u64> = http
            .waited
            .lock()
            .expect("no panic")
            .iter()
            .map(Duration::as_secs)
            .collect();
        assert_eq!(waited, seconds, "{list:?}");
        assert!(!format!("{told:?}").contains("very-secret"));
    }
}

#[tokio::test]
async fn nobody_is_told_without_a_secret_or_a_client_and_the_run_goes_on() {
    let http = answers(&[answer(500, None)]);
    super::tell(&catalog(), &values(), &|_| None, Some(&http)).await;
    assert_eq!(*http.posted.lock().expect("no panic"), 0);
    super::tell(
        &catalog(),
        &values(),
        &|name| (name == "HOOK").then(|| Secret::new(URL)),
        None,
    )
    .await;
    super::tell(
        &catalog(),
        &values(),
        &|name| (name == "HOOK").then(|| Secret::new(URL)),
        Some(&http),
    )
    .await;
    assert_eq!(
        *http.posted.lock().expect("no panic"),
        4,
        "a message that fails is a warning"
    );
    let mut broken = catalog();
    broken.files.insert(
        crate::render::slack::TEMPLATE.to_owned(),
        b"@{ nothing }@".to_vec(),
    );
    super::tell(&broken, &values(), &|_| Some(Secret::new(URL)), Some(&http)).await;
}

#[test]
fn a_secret_shows_itself_nowhere() {
    let secret = Secret::new(URL);
    assert_eq!(
        format!("{secret} {secret:?} {:?}", Some(&secret)),
        "*** Secret(***) Some(Secret(***))"
    );
}
