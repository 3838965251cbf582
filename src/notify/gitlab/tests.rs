//! Tests notes on a merge request: the earlier note is found, temporary errors are retried, and no
//! error contains the token.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{MergeRequest, NoteChange, NoteError, PAGE_LENGTH, write_note};
use crate::ports::{Http, HttpError, HttpMethod, HttpRequest, HttpResponse, Secret};

const API: &str = "https://gitlab.example.com/api/v4";
const NOTES: &str = "https://gitlab.example.com/api/v4/projects/7/merge_requests/12/notes";
const TOKEN: &str = "glpat-very-secret";
const MARKER: &str = "<!-- bakeline plan 0123 -->";
const BOT: u64 = 41;

/// GitLab with the notes of one merge request. Returns the planned failures first.
#[derive(Default)]
struct FakeGitlab {
    notes: Mutex<Vec<Value>>,
    failures: Mutex<Vec<u16>>,
    /// Method and URL of each request.
    requests: Mutex<Vec<(HttpMethod, String)>>,
    pauses: Mutex<Vec<Duration>>,
}

impl FakeGitlab {
    fn with_notes(notes: impl IntoIterator<Item = Value>) -> Self {
        Self {
            notes: Mutex::new(notes.into_iter().collect()),
            ..Self::default()
        }
    }

    fn answer(&self, request: &HttpRequest<'_>) -> (u16, Value) {
        assert_eq!(request.token.map(Secret::expose), Some(TOKEN));
        let url = request.url.expose();
        let mut requests = self.requests.lock().expect("no panic");
        requests.push((request.method, url.to_owned()));
        if let Some(status) = self.failures.lock().expect("no panic").pop() {
            return (
                status,
                json!({ "message": format!("{status} for {TOKEN}") }),
            );
        }
        let mut notes = self.notes.lock().expect("no panic");
        let body = || request.body.map_or(Value::Null, |b| b["body"].clone());
        let path = url.strip_prefix(NOTES);
        match (request.method, path) {
            (HttpMethod::Get, None) => {
                assert_eq!(url, format!("{API}/user"));
                (200, json!({ "id": BOT }))
            }
            (HttpMethod::Get, Some(query)) => {
                let page: usize = query
                    .rsplit('=')
                    .next()
                    .expect("page")
                    .parse()
                    .expect("page");
                let listed = notes.iter().skip((page - 1) * PAGE_LENGTH);
                (200, listed.take(PAGE_LENGTH).cloned().collect())
            }
            (HttpMethod::Post, Some("")) => {
                let created = note(notes.len() as u64, BOT, body().as_str().unwrap_or_default());
                notes.push(created.clone());
                (201, created)
            }
            (HttpMethod::Put, Some(id)) => {
                let found = notes.iter_mut().find(|n| format!("/{}", n["id"]) == id);
                let found = found.expect("existing note");
                found["body"] = body();
                (200, found.clone())
            }
            _ => (404, json!({ "message": "404 Not found" })),
        }
    }

    fn bodies(&self) -> Vec<String> {
        let notes = self.notes.lock().expect("no panic");
        let bodies = notes.iter().map(|n| n["body"].as_str().unwrap_or_default());
        bodies.map(str::to_owned).collect()
    }
}

#[async_trait]
impl Http for FakeGitlab {
    async fn send(&self, request: &HttpRequest<'_>) -> Result<HttpResponse, HttpError> {
        let (status, body) = self.answer(request);
        Ok(HttpResponse {
            status,
            retry_after: (status == 429).then_some(7),
            body: body.to_string(),
        })
    }

    async fn pause(&self, time: Duration) {
        self.pauses.lock().expect("no panic").push(time);
    }
}

fn note(id: u64, author: u64, body: &str) -> Value {
    json!({ "id": id, "author": { "id": author }, "body": body, "system": false })
}

async fn write(gitlab: &FakeGitlab, text: &str) -> Result<NoteChange, NoteError> {
    let merge_request = MergeRequest {
        api: API.to_owned(),
        project: 7,
        number: 12,
    };
    write_note(&merge_request, &Secret::new(TOKEN), (MARKER, text), gitlab).await
}

#[tokio::test]
async fn second_plan_updates_the_note_of_the_first() {
    let gitlab = FakeGitlab::with_notes([note(90, 5, "a review")]);
    assert_eq!(write(&gitlab, "one").await.ok(), Some(NoteChange::Created));
    assert_eq!(write(&gitlab, "two").await.ok(), Some(NoteChange::Updated));
    assert_eq!(
        gitlab.bodies(),
        ["a review".to_owned(), format!("{MARKER}\ntwo")]
    );
}

#[tokio::test]
async fn only_own_note_that_starts_with_the_marker_is_updated() {
    let marked = format!("{MARKER}\nold");
    let mut system = note(3, BOT, &marked);
    system["system"] = json!(true);
    let others = [
        note(1, 5, &marked),
        note(2, BOT, &format!("see {MARKER}")),
        system,
        note(4, BOT, "<!-- bakeline plan 0123456 -->\nother catalog"),
    ];
    let gitlab = FakeGitlab::with_notes(others.clone());
    assert_eq!(write(&gitlab, "new").await.ok(), Some(NoteChange::Created));
    let bodies = gitlab.bodies();
    assert_eq!(bodies.len(), others.len() + 1);
    for (note, body) in others.iter().zip(&bodies) {
        assert_eq!(note["body"].as_str(), Some(body.as_str()));
    }
}

#[tokio::test]
async fn note_is_found_on_a_later_page() {
    let reviews = (0..PAGE_LENGTH as u64 * 2).map(|id| note(id, 5, "a review"));
    let own = note(777, BOT, &format!("{MARKER}\nold"));
    let gitlab = FakeGitlab::with_notes(reviews.chain([own]));
    assert_eq!(write(&gitlab, "new").await.ok(), Some(NoteChange::Updated));
    let requests = gitlab.requests.lock().expect("no panic");
    let (method, url) = requests.last().expect("request");
    assert_eq!(
        (*method, url.as_str()),
        (HttpMethod::Put, &*format!("{NOTES}/777"))
    );
}

#[tokio::test]
async fn temporary_errors_are_retried_and_errors_hide_the_token() {
    for (failures, seconds, status) in [
        (vec![503], vec![1], None),
        (vec![502, 429], vec![7, 2], None),
        (vec![500, 500, 500], vec![1, 2], Some(500)),
        (vec![401], vec![], Some(401)),
        (vec![403], vec![], Some(403)),
    ] {
        let gitlab = FakeGitlab::default();
        *gitlab.failures.lock().expect("no panic") = failures;
        let result = write(&gitlab, "text").await;
        let pauses = gitlab.pauses.lock().expect("no panic");
        let seconds: Vec<Duration> = seconds.into_iter().map(Duration::from_secs).collect();
        assert_eq!(*pauses, seconds);
        match (result, status) {
            (Ok(change), None) => assert_eq!(change, NoteChange::Created),
            (Err(error), Some(status)) => {
                let text = error.to_string();
                assert!(text.contains(&status.to_string()), "{text}");
                assert!(!text.contains(TOKEN), "{text}");
                assert_eq!(error.advice().is_some(), status < 500, "{text}");
            }
            (result, _) => panic!("{result:?}"),
        }
    }
}
