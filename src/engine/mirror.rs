//! Copies the journal to the store, one object per line. When the run ends, one object with all lines
//! replaces them, so that the number of objects does not grow with the lines of all runs. The local
//! file is authoritative. A store that fails is reported once, at the end of the run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::evidence::keys;
use crate::model::{CatalogName, RunId};
use crate::ports::{Clock, Journal, Store, StoreError};

/// Longest wait, at the end of a run, for lines that are not yet in the store.
const FINISH_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum number of parallel deletions.
const MAX_CONCURRENT: usize = 16;

/// Journal whose lines are also written to the store, in the background.
pub struct JournalMirror {
    file: Arc<dyn Journal>,
    lines: Mutex<Option<mpsc::UnboundedSender<String>>>,
    writer: Mutex<Option<JoinHandle<Written>>>,
}

/// Missing lines, and the deletion of the lines that the complete journal replaces. Its result is the
/// lines that stay.
type Written = (FailedLines, Option<JoinHandle<FailedLines>>);

/// Lines that were not written to the store, or not deleted from it, with the first error.
#[derive(Debug, Default)]
struct FailedLines {
    lines: u64,
    first: Option<StoreError>,
}

impl JournalMirror {
    /// Starts copying the journal of one run. `earlier` is the journal of an earlier attempt, whose
    /// lines are copied first if the store does not have them.
    #[must_use]
    pub fn start(
        file: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        catalog: CatalogName,
        run: RunId,
        earlier: String,
    ) -> Self {
        let (sender, mut lines) = mpsc::unbounded_channel::<String>();
        let writer = tokio::spawn(async move {
            let (mut seq, mut text) = (
                put_earlier(&*store, &catalog, &run, &earlier).await,
                earlier,
            );
            let mut missing = FailedLines::default();
            while let Some(line) = lines.recv().await {
                seq += 1;
                text.push_str(&line);
                if let Err(error) = store
                    .put(&keys::journal_line(&catalog, &run, seq), line.as_bytes())
                    .await
                {
                    missing.add(error);
                }
            }
            let mut cleanup = None;
            // Also without lines, because the complete journal is the sign of an ended run.
            if put_journal(&*store, &catalog, &run, &text).await {
                // The complete journal has the missing lines.
                missing = FailedLines::default();
                let delete = async move { delete_lines(&*store, &catalog, &run, seq).await };
                cleanup = Some(tokio::spawn(delete));
            }
            (missing, cleanup)
        });
        Self {
            file,
            lines: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
        }
    }

    /// Waits for the pending lines. Returns a warning if lines are missing in the store, or if objects
    /// stay there that the complete journal replaces.
    pub async fn finish(&self, clock: &dyn Clock) -> Option<String> {
        *self
            .lines
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()?;
        let (missing, cleanup) = tokio::select! {
            written = writer => match written {
                Ok(written) => written,
                Err(e) => return Some(format!("copying the journal to the store failed: {e}")),
            },
            () = clock.sleep(FINISH_TIMEOUT) => {
                let text = "the store is too slow; the end of the journal is missing there";
                return Some(text.to_owned());
            }
        };
        if let Some(warning) = missing.describe("journal lines are missing in the store") {
            return Some(warning);
        }
        // Readers prefer the complete journal, so lines that remain do no harm.
        let cleanup = cleanup?;
        tokio::select! {
            left = cleanup => left.ok()?.describe("objects with lines of the journal stay in the store"),
            () = clock.sleep(FINISH_TIMEOUT) => {
                tracing::debug!("lines of the journal stay");
                None
            }
        }
    }
}

impl FailedLines {
    fn add(&mut self, error: StoreError) {
        self.lines += 1;
        self.first.get_or_insert(error);
    }

    /// Returns a warning if there are any lines.
    fn describe(self, what: &str) -> Option<String> {
        let Self { lines, first } = self;
        let why = first.map_or_else(String::new, |e| format!(": {e}"));
        (lines > 0).then(|| format!("{lines} {what}{why}"))
    }
}

/// Writes the lines of an earlier attempt that the store does not have, and returns their number. The
/// complete journal of an ended attempt is deleted, because readers prefer it to lines.
async fn put_earlier(store: &dyn Store, catalog: &CatalogName, run: &RunId, text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let stored = store
        .list(&keys::run(catalog, run))
        .await
        .unwrap_or_default();
    let mut seq = 0;
    for line in text.split_inclusive('\n') {
        seq += 1;
        let key = keys::journal_line(catalog, run, seq);
        if !stored.contains(&key)
            && let Err(error) = store.put(&key, line.as_bytes()).await
        {
            tracing::debug!(%error, "a line of the earlier attempt is missing in the store");
            return text.lines().count() as u64;
        }
    }
    let complete = keys::journal(catalog, run);
    if stored.contains(&complete)
        && let Err(error) = store.delete(&complete).await
    {
        tracing::debug!(%error, "the journal of the earlier attempt stays");
    }
    seq
}

/// Writes the complete journal as one object. Returns whether it was written.
async fn put_journal(store: &dyn Store, catalog: &CatalogName, run: &RunId, text: &str) -> bool {
    let written = store
        .put(&keys::journal(catalog, run), text.as_bytes())
        .await;
    if let Err(error) = &written {
        tracing::debug!(%error, "the lines of the journal stay");
    }
    written.is_ok()
}

/// Deletes the objects of the lines. Returns those that stay.
async fn delete_lines(
    store: &dyn Store,
    catalog: &CatalogName,
    run: &RunId,
    lines: u64,
) -> FailedLines {
    let deletions = (1..=lines).map(|seq| async move {
        let key = keys::journal_line(catalog, run, seq);
        store.delete(&key).await.err()
    });
    let errors: Vec<Option<StoreError>> = stream::iter(deletions)
        .buffer_unordered(MAX_CONCURRENT)
        .collect()
        .await;
    let mut left = FailedLines::default();
    errors
        .into_iter()
        .flatten()
        .for_each(|error| left.add(error));
    left
}

impl Journal for JournalMirror {
    fn append(&self, line: &str) -> std::io::Result<()> {
        self.file.append(line)?;
        if let Some(lines) = &*self
            .lines
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
        {
            let _sent = lines.send(format!("{line}\n"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::adapters::fake::{MemoryJournal, MemoryStore};
    use crate::adapters::system::SystemClock;

    fn start_mirror(file: &Arc<MemoryJournal>, store: &Arc<MemoryStore>) -> JournalMirror {
        let (file, store) = (Arc::clone(file), Arc::clone(store));
        JournalMirror::start(file, store, "acme".into(), "run1".into(), String::new())
    }

    #[tokio::test]
    async fn mirror_copies_lines_and_reports_store_failure() {
        for broken in [false, true] {
            let (file, store) = (
                Arc::new(MemoryJournal::default()),
                Arc::new(MemoryStore::default()),
            );
            store.read_only.store(broken, Ordering::SeqCst);
            *file.room.lock().expect("no panic") = Some(3);
            let mirror = start_mirror(&file, &store);
            let kept = ["a", "b", "c", "d"].map(|line| mirror.append(line).is_ok());
            assert_eq!(kept, [true, true, true, false], "only the file decides");
            let missing = mirror.finish(&SystemClock).await;
            let objects = store.objects.lock().expect("no panic").clone();
            if broken {
                assert!(
                    missing
                        .expect("a warning")
                        .starts_with("3 journal lines are missing in the store")
                );
                continue;
            }
            assert_eq!(missing, None);
            let packed = ("acme/runs/run1/journal.jsonl".to_owned(), file.text());
            let objects = objects.into_iter();
            let objects: Vec<(String, String)> = objects
                .map(|(key, text)| (key, String::from_utf8(text).expect("text")))
                .collect();
            assert_eq!(objects, [packed], "one object replaces the lines");
        }
    }

    #[tokio::test]
    async fn journal_without_lines_is_complete_at_its_end() {
        let store = Arc::new(MemoryStore::default());
        let mirror = start_mirror(&Arc::new(MemoryJournal::default()), &store);
        assert_eq!(mirror.finish(&SystemClock).await, None);
        let objects = store.objects.lock().expect("no panic").clone();
        assert_eq!(objects["acme/runs/run1/journal.jsonl"], b"");
    }

    #[tokio::test]
    async fn mirror_reports_lines_that_cannot_be_deleted() {
        let (file, store) = (
            Arc::new(MemoryJournal::default()),
            Arc::new(MemoryStore::default()),
        );
        store.undeletable.store(true, Ordering::SeqCst);
        let store: Arc<dyn Store> = store;
        let mirror = JournalMirror::start(file, store, "acme".into(), "run1".into(), String::new());
        for line in ["a", "b"] {
            mirror.append(line).expect("a local file");
        }
        let left = mirror.finish(&SystemClock).await.expect("a warning");
        let text = "2 objects with lines of the journal stay in the store: ";
        assert!(left.starts_with(text), "{left}");
    }

    #[tokio::test]
    async fn lines_are_in_the_store_while_the_run_is_active() {
        let store = Arc::new(MemoryStore::default());
        let mirror = start_mirror(&Arc::new(MemoryJournal::default()), &store);
        mirror.append("a").expect("written");
        let keys = || -> Vec<String> {
            let objects = store.objects.lock().expect("no panic");
            objects.keys().cloned().collect()
        };
        while keys().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(keys(), ["acme/runs/run1/journal/000001.json"]);
    }
}
