//! Shows the writes of SSM parameters late, as AWS does for parameters of the data type `aws:ec2:image`.

use super::FakeCloudState;

/// Writes that AWS has accepted and not made yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LateParameters {
    /// Number of reads after which a write shows. 0 means immediately.
    pub reads: u32,
    /// Remaining reads, name and value of each accepted write.
    pending: Vec<(u32, String, String)>,
}

impl FakeCloudState {
    /// Accepts a write. It also happens if the parameter is deleted in the meantime.
    pub fn write_parameter(&mut self, name: &str, value: &str) {
        let reads = self.late_parameters.reads;
        let write = (reads, name.to_owned(), value.to_owned());
        self.late_parameters.pending.push(write);
        if reads == 0 {
            self.make_late_writes(|_| true);
        }
    }

    /// Returns the value of a parameter. Each read brings its accepted writes closer.
    pub fn read_parameter(&mut self, name: &str) -> Option<String> {
        let value = self.parameters.get(name).cloned();
        for (left, _, _) in &mut self.late_parameters.pending {
            *left = left.saturating_sub(1);
        }
        self.make_late_writes(|left| left == 0);
        value
    }

    /// Makes the accepted writes that are due by the number of remaining reads.
    pub fn make_late_writes(&mut self, is_due: impl Fn(u32) -> bool) {
        let pending = std::mem::take(&mut self.late_parameters.pending);
        for (left, name, value) in pending {
            if is_due(left) {
                self.parameters.insert(name, value);
            } else {
                self.late_parameters.pending.push((left, name, value));
            }
        }
    }
}
