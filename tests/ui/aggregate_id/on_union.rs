use annals::AggregateId;

#[derive(AggregateId)]
union AccountId {
    number: u64,
}

fn main() {}
