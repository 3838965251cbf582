//! Tests notifications: retries, limits, and errors without the URL.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::assets;
use crate::catalog::{Catalog, load};
use crate::ports::{Http, HttpError, HttpRequest, HttpResponse, Secret};
use crate::render::slack::Values;

const URL: &str = "https://hooks.example.com/services/T0/B0/very-secret";

/// Response, or the message of a failed request.
type FakeResponse = Result<HttpResponse, &'static str>;

/// HTTP client that returns responses from a list and repeats the last one. Records posts and
/// pauses.
struct FakeHttp {
    responses: Mutex<Vec<FakeResponse>>,
    post_count: Mutex<usize>,
    pauses: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Http for FakeHttp {
    async fn send(&self, request: &HttpRequest<'_>) -> Result<HttpResponse, HttpError> {
        assert_eq!(request.url.expose(), URL);
        assert!(request.body.is_some_and(|body| body["blocks"].is_array()));
        *self.post_count.lock().expect("no panic") += 1;
        let mut responses = self.responses.lock().expect("no panic");
        let response = if responses.len() > 1 {
            responses.remove(0)
        } else {
            responses[0].clone()
        };
        response.map_err(HttpError::new)
    }

    async fn pause(&self, time: Duration) {
        self.pauses.lock().expect("no panic").push(time);
    }
}

fn response(status: u16, retry_after: Option<u64>) -> FakeResponse {
    Ok(HttpResponse {
        status,
        retry_after,
        body: "words".to_owned(),
    })
}

fn fake_http(responses: &[FakeResponse]) -> FakeHttp {
    FakeHttp {
        responses: Mutex::new(responses.to_vec()),
        post_count: Mutex::default(),
        pauses: Mutex::default(),
    }
}

fn load_catalog() -> Catalog {
    let settings = "name: acme\nregions: [eu-west-1]\nnotifiers:\n  - slack: {webhook_env: HOOK}\n";
    let shipped = assets::shipped_paths().into_iter();
    let mut files: BTreeMap<String, Vec<u8>> = shipped
        .filter_map(|p| Some((p.clone(), assets::shipped_file(&p)?.into_owned())))
        .collect();
    files.insert("bakeline.yaml".to_owned(), settings.as_bytes().to_vec());
    files.insert(
        "images/jdk.yaml".to_owned(),
        b"source: {owner: amazon, name: x-*}\n".to_vec(),
    );
    let (catalog, findings) = load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
}

fn message_values() -> Values {
    Values {
        headline: "h".to_owned(),
        lines: vec!["l".to_owned()],
        failures: Vec::new(),
        footer: "f".to_owned(),
    }
}

#[tokio::test]
async fn slack_post_is_retried_only_after_temporary_errors() {
    let refused = Err("connection refused");
    for (responses, posts, seconds, fails) in [
        (vec![response(200, None)], 1, vec![], false),
        (
            vec![response(429, Some(7)), response(200, None)],
            2,
            vec![7],
            false,
        ),
        (
            vec![response(429, Some(9999)), response(200, None)],
            2,
            vec![30],
            false,
        ),
        (
            vec![response(429, None), response(200, None)],
            2,
            vec![1],
            false,
        ),
        (vec![response(503, None)], 4, vec![1, 2, 3], true),
        (vec![refused.clone()], 4, vec![1, 2, 3], true),
        (vec![refused, response(200, None)], 2, vec![1], false),
        (vec![response(404, None)], 1, vec![], true),
        (vec![response(400, None)], 1, vec![], true),
    ] {
        let http = fake_http(&responses);
        let (catalog, values, url) = (load_catalog(), message_values(), Secret::new(URL));
        let result = super::slack::post_message(&catalog, &values, &url, &http).await;
        assert_eq!(result.is_err(), fails, "{responses:?}: {result:?}");
        assert_eq!(
            *http.post_count.lock().expect("no panic"),
            posts,
            "{responses:?}"
        );
        let pauses: Vec<u64> = http
            .pauses
            .lock()
            .expect("no panic")
            .iter()
            .map(Duration::as_secs)
            .collect();
        assert_eq!(pauses, seconds, "{responses:?}");
        assert!(!format!("{result:?}").contains("very-secret"));
    }
}

#[tokio::test]
async fn failing_notifier_never_fails_the_run() {
    let http = fake_http(&[response(500, None)]);
    let unset =
        super::send_notifications(&load_catalog(), &message_values(), &|_| None, Some(&http)).await;
    assert_eq!(unset, ["no message was sent to Slack: HOOK is not set"]);
    assert_eq!(*http.post_count.lock().expect("no panic"), 0);
    let hook = |name: &str| (name == "HOOK").then(|| Secret::new(URL));
    let offline = super::send_notifications(&load_catalog(), &message_values(), &hook, None).await;
    assert_eq!(offline.len(), 1, "{offline:?}");
    let refused =
        super::send_notifications(&load_catalog(), &message_values(), &hook, Some(&http)).await;
    assert!(
        refused[0].contains("500") && !refused[0].contains(URL),
        "{refused:?}"
    );
    assert_eq!(
        *http.post_count.lock().expect("no panic"),
        4,
        "a failed message is a warning"
    );
    let mut broken = load_catalog();
    broken.files.insert(
        crate::render::slack::TEMPLATE.to_owned(),
        b"@{ nothing }@".to_vec(),
    );
    let unrendered =
        super::send_notifications(&broken, &message_values(), &hook, Some(&http)).await;
    assert_eq!(unrendered.len(), 1, "{unrendered:?}");
}

#[test]
fn secret_is_masked_in_display_and_debug() {
    let secret = Secret::new(URL);
    assert_eq!(
        format!("{secret} {secret:?} {:?}", Some(&secret)),
        "*** Secret(***) Some(Secret(***))"
    );
}
