"""What is measured, beside its peers: `make bench`, or a part of it: `python -m benchmarks drain`.

__main__       which benchmarks run, in which order
budgets        what each figure has to be
figures        one measured figure, and what is made of several runs
report         the table and docs/explanation/benchmarks.md
machine        where it was measured
environments   installs the peers, each in an environment of its own
parts          starts the programs that are measured; stock fills queues and counts what is left
load           asks a server over HTTP as fast as it answers; asking: by many clients that wait
closed_loop    clients that go on once they are answered: who wait, poll, or ask for sets
drain, poll, array, idle, end_to_end, claim_cost, ttl_cost, memory, batching, recovery     one each
drain_tasks, model_tasks, recovery_tasks                              the task types they ask for
seed_server, seed_worker, constant_server, bare_server                what these are compared with
processor_time how much processor a program has used
model_loop, model_servers, model_texts                                what batching is made of
peers/         how each peer is filled and started
http_peers/    queues behind HTTP that end_to_end is compared with
model_peers/   model servers that batching is compared with, and the model as all of them compute it
"""
