//! Owns the journal's mirror in the store: the file stays the authority, and a store that fails is said once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::evidence::keys;
use crate::model::{CatalogName, RunId};
use crate::ports::{Clock, Journal, Store, StoreError};

/// How long the end of a run waits for lines that are still on their way.
const PATIENCE: Duration = Duration::from_secs(30);

/// A journal whose lines are also written to the store, in the background.
pub struct Mirror {
    file: Arc<dyn Journal>,
    lines: Mutex<Option<mpsc::UnboundedSender<String>>>,
    writer: Mutex<Option<JoinHandle<Missing>>>,
}

/// What did not get into the store.
#[derive(Debug, Default)]
struct Missing {
    lines: u64,
    first: Option<StoreError>,
}

impl Mirror {
    /// Starts the mirror of one run's journal.
    #[must_use]
    pub fn start(
        file: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        catalog: CatalogName,
        run: RunId,
    ) -> Self {
        let (sender, mut lines) = mpsc::unbounded_channel::<String>();
        let writer = tokio::spawn(async move {
            let (mut seq, mut missing) = (0, Missing::default());
            while let Some(line) = lines.recv().await {
                seq += 1;
                if let Err(error) = store
                    .put(&keys::journal(&catalog, &run, seq), line.as_bytes())
                    .await
                {
                    missing.lines += 1;
                    missing.first.get_or_insert(error);
                }
            }
            missing
        });
        Self {
            file,
            lines: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
        }
    }

    /// Waits for the lines on their way; what is missing in the store, in words, if anything.
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
        tokio::select! {
            written = writer => match written {
                Ok(Missing { lines: 0, .. }) => None,
                Ok(Missing { lines, first }) => {
                    let why = first.map_or_else(String::new, |e| format!(": {e}"));
                    Some(format!("{lines} lines of the journal are not in the store{why}"))
                }
                Err(e) => Some(format!("the journal's mirror broke off: {e}")),
            },
            () = clock.sleep(PATIENCE) => Some("the store takes the journal too slowly; its end is missing there".to_owned()),
        }
    }
}

impl Journal for Mirror {
    fn append(&self, line: &str) -> std::io::Result<()> {
        self.file.append(line)?;
        if let Some(lines) = &*self
            .lines
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
        {
            let _heard = lines.send(format!("{line}\n"));
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

    #[tokio::test]
    async fn the_store_gets_what_the_file_got_and_a_store_that_fails_is_said_at_the_end() {
        for broken in [false, true] {
            let (file, store) = (
                Arc::new(MemoryJournal::default()),
                Arc::new(MemoryStore::default()),
            );
            store.read_only.store(broken, Ordering::SeqCst);
            *file.room.lock().expect("no panic") = Some(3);
            let mirror = Mirror::start(
                Arc::clone(&file) as _,
                Arc::clone(&store) as _,
                "acme".into(),
                "run1".into(),
            );
            let kept = ["a", "b", "c", "d"].map(|line| mirror.append(line).is_ok());
            assert_eq!(
                kept,
                [true, true, true, false],
                "the file decides, whatever the store does"
            );
            let missing = mirror.finish(&SystemClock).await;
            let objects = store.objects.lock().expect("no panic").clone();
            if broken {
                assert!(
                    missing
                        .expect("said")
                        .starts_with("3 lines of the journal are not in the store")
                );
                continue;
            }
            assert_eq!(missing, None);
            assert_eq!(
                objects.values().flatten().copied().collect::<Vec<u8>>(),
                file.text().into_bytes()
            );
            assert_eq!(
                objects.keys().next().map(String::as_str),
                Some("acme/runs/run1/journal/000001.json")
            );
        }
    }
}
