//! Writes the plan as a note on the merge request of a CI job of GitLab.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::adapters::catalog_files::CatalogFiles;
use crate::adapters::system;
use crate::commands::support::context;
use crate::error::Error;
use crate::notify::gitlab::{MergeRequest, NoteChange, write_note};
use crate::ports::Secret;
use crate::ui;

/// Environment variable with the token.
const TOKEN: &str = "BAKELINE_GITLAB_TOKEN";
/// Largest number of characters of a plan in a note. GitLab accepts a million in a note.
const MAX_LENGTH: usize = 500_000;

/// Plan to show in a note.
pub(super) struct PlanPage {
    /// Name of the catalog.
    pub(super) catalog: String,
    /// Plan in Markdown.
    pub(super) markdown: String,
}

/// Writes the plan, or the error that prevented it. A failure is a warning.
pub(super) async fn write_plan_note(dir: &Path, page: Option<&PlanPage>, error: Option<&Error>) {
    match try_to_write(dir, page, error).await {
        Ok(NoteChange::Created) => ui::say("the merge request has a new note with the plan"),
        Ok(NoteChange::Updated) => ui::say("the note of the merge request shows this plan"),
        Err(why) => tracing::warn!("the plan is not a note of the merge request: {why}"),
    }
}

async fn try_to_write(
    dir: &Path,
    page: Option<&PlanPage>,
    error: Option<&Error>,
) -> Result<NoteChange, String> {
    let token = system::variable(TOKEN).map(Secret::new);
    let token = token.ok_or_else(|| format!("{TOKEN} is not set"))?;
    let merge_request = merge_request_of_job(&system::variable)?;
    let http = context::http_client().ok_or("this build has no HTTP client")?;
    let files = CatalogFiles::open(dir).map_err(|e| e.to_string())?;
    let marker = marker(&files.folder_in_repository());
    let text = note_text(page, error, &system::variable);
    write_note(&merge_request, &token, (&marker, &text), &*http)
        .await
        .map_err(|error| match error.advice() {
            Some(advice) => format!("{error} ({advice})"),
            None => error.to_string(),
        })
}

/// Returns the merge request that the predefined variables of GitLab name.
fn merge_request_of_job(variable: &dyn Fn(&str) -> Option<String>) -> Result<MergeRequest, String> {
    let number = |name: &str| {
        let text = variable(name).ok_or_else(|| {
            format!("{name} is not set; this is not a job of a merge request pipeline")
        })?;
        text.parse()
            .map_err(|_| format!("{name} is not a number: `{text}`"))
    };
    let api = variable("CI_API_V4_URL").ok_or("CI_API_V4_URL is not set")?;
    if !api.starts_with("https://") && !api.starts_with("http://") {
        return Err(format!("CI_API_V4_URL is not a URL: `{api}`"));
    }
    Ok(MergeRequest {
        api: api.trim_end_matches('/').to_owned(),
        project: number("CI_MERGE_REQUEST_PROJECT_ID")?,
        number: number("CI_MERGE_REQUEST_IID")?,
    })
}

/// Returns the first line of the note. It identifies the note of a catalog, also if the catalog cannot
/// be loaded.
fn marker(folder: &str) -> String {
    let digest = format!("{:x}", Sha256::digest(folder));
    let digest = digest.get(..12).unwrap_or(&digest);
    format!("<!-- bakeline plan {digest} -->")
}

fn note_text(
    page: Option<&PlanPage>,
    error: Option<&Error>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> String {
    let mut text = String::from("**bakeline plan");
    if let Some(page) = page {
        let _infallible = write!(text, " of {}", escape(&page.catalog));
    }
    text.push_str("**");
    let commit = variable("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")
        .filter(|id| !id.is_empty())
        .or_else(|| variable("CI_COMMIT_SHA"));
    if let Some(commit) = commit {
        let short: String = commit.chars().take(8).collect();
        let _infallible = write!(text, " for commit {}", escape(&short));
    }
    if let Some(job) = variable("CI_JOB_URL").filter(|url| url.starts_with("http")) {
        let _infallible = write!(text, " ([job]({}))", job.replace([' ', ')', '\n'], ""));
    }
    text.push_str("\n\n");
    if let Some(page) = page {
        text.push_str(&shorten(&page.markdown));
    }
    if let Some(error) = error {
        let _infallible = write!(text, "\n\n**Failed:** {}", escape(&error.one_line()));
    }
    text
}

/// Returns the complete lines of a plan that fit into a note.
fn shorten(markdown: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for line in markdown.lines() {
        length += line.chars().count() + 1;
        if length > MAX_LENGTH {
            out.push_str(
                "\nThe plan is longer; the artifacts of the job have the complete plan.\n",
            );
            break;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Escapes a text for one line of Markdown. Every character that can start markup or a reference of
/// GitLab is escaped.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.replace(['\n', '\r'], " ").chars() {
        if c.is_ascii_punctuation() && !",.:;()".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(name: &str) -> Option<String> {
        let values = [
            ("CI_API_V4_URL", "https://gitlab.example.com/api/v4/"),
            ("CI_MERGE_REQUEST_PROJECT_ID", "7"),
            ("CI_MERGE_REQUEST_IID", "12"),
            ("CI_COMMIT_SHA", "0123456789abcdef"),
            ("CI_JOB_URL", "https://gitlab.example.com/g/p/-/jobs/9"),
        ];
        let found = values.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_owned())
    }

    #[test]
    fn merge_request_comes_from_predefined_variables() {
        let found = merge_request_of_job(&variables).expect("merge request");
        assert_eq!(found.api, "https://gitlab.example.com/api/v4");
        assert_eq!((found.project, found.number), (7, 12));
        for missing in ["CI_API_V4_URL", "CI_MERGE_REQUEST_IID"] {
            let without = |name: &str| variables(name).filter(|_| name != missing);
            let error = merge_request_of_job(&without).expect_err("no merge request");
            assert!(error.contains(missing), "{error}");
        }
        let path = |name: &str| match name {
            "CI_MERGE_REQUEST_IID" => Some("../1".to_owned()),
            _ => variables(name),
        };
        assert!(merge_request_of_job(&path).is_err());
    }

    #[test]
    fn note_names_commit_and_error() {
        let error = Error::input("unknown image `x`\n/merge @all");
        let text = note_text(None, Some(&error), &variables);
        assert!(text.contains("for commit 01234567"), "{text}");
        assert!(text.contains("/-/jobs/9"), "{text}");
        assert!(text.contains(r"\/merge \@all"), "{text}");
        assert!(!text.lines().any(|line| line.starts_with('/')), "{text}");
    }

    #[test]
    fn long_plan_is_shortened_by_lines() {
        let markdown = "| a | b |\n".repeat(MAX_LENGTH / 10 + 5);
        let text = shorten(&markdown);
        assert!(text.chars().count() < MAX_LENGTH + 100);
        assert!(text.contains("artifacts of the job"));
        assert_eq!(shorten("| a |\n"), "| a |\n");
    }
}
