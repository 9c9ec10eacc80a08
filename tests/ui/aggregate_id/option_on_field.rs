use annals::AggregateId;

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct AccountId(#[aggregate_id(crate = ::annals)] String);

fn main() {}
