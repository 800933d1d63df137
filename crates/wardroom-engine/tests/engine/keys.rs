//! Keys that sign tokens come and go by themselves.

use crate::world::World;
use std::time::Duration;
use wardroom_core::store::AuditFilter;

impl World {
    /// Waits until the keys that sign tokens are these.
    async fn until_keys(&self, wanted: &[&str]) {
        let look = async || {
            let keys = self.store.list_sealed_keys().await.unwrap();
            let names = keys.iter().map(|key| key.name.strip_prefix("token_seed/"));
            names.eq(wanted.iter().map(|number| Some(*number))).then_some(())
        };
        self.found("the keys", look).await;
    }
}

#[tokio::test]
async fn a_key_that_signs_tokens_is_renewed_when_it_is_old_and_the_old_one_goes() {
    let world = World::new().await;
    world.until_keys(&["1"]).await;
    let before = world.engine.key_status().await.unwrap();
    assert_eq!(before.token_generation, 1);
    world.clock.advance(Duration::from_secs(181 * 86_400));
    world.until_keys(&["1", "2"]).await;
    world.clock.advance(Duration::from_secs(2 * 3600));
    world.until_keys(&["2"]).await;
    let after = world.engine.key_status().await.unwrap();
    assert_eq!(after.token_generation, 2);
    assert!(after.token_key_since > before.token_key_since);
    for action in ["token_key.add", "token_key.remove"] {
        let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
        let page = wardroom_core::page::PageRequest::first();
        let records = world.store.list_audit(&filter, page).await.unwrap().items;
        let last = &records[0].body;
        assert!(last.contains(action), "{last}");
    }
}
