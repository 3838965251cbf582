//! Implements a clock that advances only in waits.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::Timestamp;
use crate::ports::Clock;

/// A clock that advances only in `sleep`.
#[derive(Debug)]
pub struct FakeClock(pub Mutex<Timestamp>);

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no panic")
    }

    async fn sleep(&self, time: Duration) {
        {
            let mut now = self.0.lock().expect("no panic");
            *now += time;
        }
        tokio::task::yield_now().await;
    }
}
