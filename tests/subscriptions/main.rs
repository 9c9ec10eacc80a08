//! Subscriptions, on each store: what is delivered, what is acknowledged, who owns a name; and what they bear when the store
//! has faults.

mod cost;
mod delivery;
mod dropped;
mod durable;
mod faults;
mod material;
mod ownership;

/// Makes a test of each scenario on each store.
macro_rules! on_each_store {
    ($($module:ident { $($scenario:ident)+ })+) => {
        mod memory {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $scenario() {
                    super::$module::$scenario(annals::MemoryStore::new()).await;
                }
            )+)+
        }

        mod postgres {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $scenario() {
                    let database = annals_postgres::testing::TestDatabase::create().await.unwrap();
                    let store = annals_postgres::PostgresStore::connect(database.url()).await.unwrap();
                    store.migrate().await.unwrap();
                    super::$module::$scenario(store).await;
                }
            )+)+
        }
    };
}

on_each_store! {
    delivery {
        the_log_is_delivered_then_what_comes
        the_first_event_of_a_virgin_store_is_delivered
        a_subscription_from_the_head_delivers_what_comes
        a_subscription_after_a_position_leaves_out_what_is_before
        a_filter_takes_types_categories_and_streams
        batches_are_what_is_at_hand
        catching_up_turns_live_without_a_gap
        it_tells_when_it_has_caught_up
        a_dropped_wait_loses_nothing
        any_clone_of_a_store_can_be_subscribed_to
    }
    durable {
        it_goes_on_after_what_was_acknowledged
        what_was_not_acknowledged_is_delivered_again
        a_batch_is_acknowledged_at_once
        a_checkpoint_never_goes_back
        only_what_was_delivered_is_acknowledged
        only_a_durable_subscription_is_acknowledged
        a_start_at_the_head_is_kept
        checkpoints_may_be_kept_in_another_store
        a_name_that_no_store_keeps_is_refused
        a_checkpoint_ahead_of_the_log_ends_it
    }
    dropped {
        an_acknowledgement_outlives_its_call
        a_page_is_read_to_its_end_while_its_consumer_pauses
    }
    ownership {
        another_of_the_name_waits_until_the_first_closes
        a_dropped_subscription_gives_its_lease_up
        one_who_stopped_waiting_leaves_the_name_free
        a_living_owner_keeps_its_lease
        an_owner_that_was_away_is_told_that_another_took_over
        a_lease_that_ran_out_while_nobody_came_is_held_again
        a_lease_is_not_held_again_after_another_acknowledged
        owners_in_turn_pass_nothing_over
    }
}
