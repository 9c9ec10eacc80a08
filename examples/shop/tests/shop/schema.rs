//! What the shop has stored, every later release reads.

use crate::scene::Scene;

#[tokio::test]
async fn the_schema_is_what_history_needs() {
    // What it links is what it runs.
    let _scene = Scene::in_memory().await;
    annals_testing::schema::assert_unchanged("schema.json");
}
