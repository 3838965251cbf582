//! Hides new resources of a fake cloud for some reads and calls, as EC2 does for some seconds.

use super::FakeCloudState;

impl FakeCloudState {
    /// Generates the ID of a resource that is hidden at first, if the state has a visibility delay.
    pub fn new_id(&mut self, prefix: &str) -> String {
        let id = self.id(prefix);
        self.hide(&id);
        id
    }

    /// Hides a new resource, if the state has a visibility delay.
    pub fn hide(&mut self, id: &str) {
        if self.visible_after > 0 {
            self.hidden.insert(id.to_owned(), self.visible_after);
        }
    }

    /// Returns whether a resource is still hidden. Each call brings it closer to being visible.
    pub fn is_hidden(&mut self, id: &str) -> bool {
        let Some(left) = self.hidden.get_mut(id) else {
            return false;
        };
        *left -= 1;
        if *left == 0 {
            self.hidden.remove(id);
        }
        true
    }
}
