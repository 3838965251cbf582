//! Writes a note on a merge request of GitLab, or replaces the text of the earlier one. The first line
//! of a note, an HTML comment, identifies it (<https://docs.gitlab.com/api/notes/>).

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::ports::{Http, HttpError, HttpMethod, HttpRequest, HttpResponse, Secret};

/// Number of attempts.
const MAX_ATTEMPTS: u32 = 3;
/// Longest pause in seconds after status 429.
const MAX_PAUSE: u64 = 30;
/// Notes of one page; the largest number that GitLab accepts.
const PAGE_LENGTH: usize = 100;
/// Largest number of pages to search for the earlier note.
const MAX_PAGES: usize = 50;
/// Largest size of one page in bytes.
const MAX_PAGE_SIZE: usize = 32 * 1024 * 1024;

/// Merge request of a CI job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeRequest {
    /// URL of the API: `CI_API_V4_URL`.
    pub api: String,
    /// ID of the project that contains the merge request.
    pub project: u64,
    /// Number of the merge request in its project.
    pub number: u64,
}

/// Change of the merge request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteChange {
    /// A note was created.
    Created,
    /// The earlier note was updated.
    Updated,
}

/// Note that was not written. The text never contains the token.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// Response of GitLab with an error status.
    #[error("could not {action}: status {status}: {body}")]
    Status {
        /// Failed action.
        action: &'static str,
        /// Status code.
        status: u16,
        /// `Retry-After` in seconds.
        retry_after: Option<u64>,
        /// First part of the body.
        body: String,
    },
    /// Request without a response.
    #[error("could not {action}: {error}")]
    Http {
        /// Failed action.
        action: &'static str,
        /// Error of the client.
        #[source]
        error: HttpError,
    },
    /// Response that is not the expected JSON.
    #[error("could not {action}: GitLab returned an unknown answer: {error}")]
    Answer {
        /// Failed action.
        action: &'static str,
        /// Error of the parser.
        #[source]
        error: serde_json::Error,
    },
}

impl NoteError {
    /// Returns what to do about the error, if it is known.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Status { status: 401, .. } => Some("the token is not valid, or it has expired"),
            Self::Status {
                status: 403 | 404, ..
            } => Some(
                "the token needs the scope `api` and at least the role Reporter in the project of \
                 the merge request",
            ),
            _ => None,
        }
    }

    /// Returns the seconds to wait before the next attempt, if another one can succeed.
    fn pause(&self, attempt: u32) -> Option<u64> {
        match self {
            Self::Status {
                status: 429,
                retry_after,
                ..
            } => Some(retry_after.unwrap_or(1).min(MAX_PAUSE)),
            Self::Status { status: 500.., .. } | Self::Http { .. } => Some(u64::from(attempt)),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct User {
    id: u64,
}

#[derive(Deserialize)]
struct Note {
    id: u64,
    body: String,
    #[serde(default)]
    system: bool,
    author: User,
}

/// Writes the note that starts with the line `marker`, followed by `text`. Updates the earlier note of
/// the same user with this marker. Temporary errors are retried from the start, so that a note that was
/// created without an answer is found.
///
/// # Errors
/// The last error.
pub async fn write_note(
    merge_request: &MergeRequest,
    token: &Secret,
    (marker, text): (&str, &str),
    http: &dyn Http,
) -> Result<NoteChange, NoteError> {
    let api = Api {
        merge_request,
        token,
        http,
    };
    let mut attempt = 1;
    loop {
        let error = match api.write(marker, text).await {
            Ok(change) => return Ok(change),
            Err(error) => error,
        };
        match error.pause(attempt) {
            Some(seconds) if attempt < MAX_ATTEMPTS => {
                http.pause(Duration::from_secs(seconds)).await;
            }
            _ => return Err(error),
        }
        attempt += 1;
    }
}

struct Api<'a> {
    merge_request: &'a MergeRequest,
    token: &'a Secret,
    http: &'a dyn Http,
}

impl Api<'_> {
    async fn write(&self, marker: &str, text: &str) -> Result<NoteChange, NoteError> {
        let body = json!({ "body": format!("{marker}\n{text}") });
        let action = "read the user of the token";
        let user: User = parse(
            action,
            &self.send(action, HttpMethod::Get, "/user", None).await?,
        )?;
        let MergeRequest {
            project, number, ..
        } = self.merge_request;
        let notes = format!("/projects/{project}/merge_requests/{number}/notes");
        match self.find_note(&notes, marker, &user).await? {
            Some(id) => {
                let path = format!("{notes}/{id}");
                self.send("update the note", HttpMethod::Put, &path, Some(&body))
                    .await?;
                Ok(NoteChange::Updated)
            }
            None => {
                self.send("create the note", HttpMethod::Post, &notes, Some(&body))
                    .await?;
                Ok(NoteChange::Created)
            }
        }
    }

    /// Returns the ID of the oldest note of the user that starts with the marker. Other users may have
    /// copied it.
    async fn find_note(
        &self,
        notes: &str,
        marker: &str,
        user: &User,
    ) -> Result<Option<u64>, NoteError> {
        let action = "read the notes";
        for page in 1..=MAX_PAGES {
            let path =
                format!("{notes}?sort=asc&order_by=created_at&per_page={PAGE_LENGTH}&page={page}");
            let answer = self.send(action, HttpMethod::Get, &path, None).await?;
            let listed: Vec<Note> = parse(action, &answer)?;
            let found = listed.iter().find(|note| {
                !note.system
                    && note.author.id == user.id
                    && note.body.lines().next() == Some(marker)
            });
            if found.is_some() || listed.len() < PAGE_LENGTH {
                return Ok(found.map(|note| note.id));
            }
        }
        Ok(None)
    }

    async fn send(
        &self,
        action: &'static str,
        method: HttpMethod,
        path: &str,
        body: Option<&Value>,
    ) -> Result<String, NoteError> {
        let url = Secret::new(format!("{}{path}", self.merge_request.api));
        let request = HttpRequest {
            method,
            url: &url,
            token: Some(self.token),
            body,
            max_response: MAX_PAGE_SIZE,
        };
        let HttpResponse {
            status,
            retry_after,
            body,
        } = self
            .http
            .send(&request)
            .await
            .map_err(|error| NoteError::Http { action, error })?;
        if status < 300 {
            return Ok(body);
        }
        let body = body.replace(self.token.expose(), "***");
        Err(NoteError::Status {
            action,
            status,
            retry_after,
            body: body.chars().take(HttpRequest::SHORT).collect(),
        })
    }
}

fn parse<T: serde::de::DeserializeOwned>(
    action: &'static str,
    answer: &str,
) -> Result<T, NoteError> {
    serde_json::from_str(answer).map_err(|error| NoteError::Answer { action, error })
}
