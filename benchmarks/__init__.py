"""What is measured, beside its peers: `make bench`, or a part of it: `python -m benchmarks drain`.

__main__       which benchmarks run, in which order; bench: the Redis that all of them share
measures/      the benchmarks, a file each
report/        figures and their budgets, the table and docs/explanation/benchmarks.md
clients/       load: asks a server as fast as it answers; asking: by many clients that wait;
               closed_loop: by clients that go on once they are answered
servers/       starting the programs that are measured, and servers that these are compared with
queues/        filling doneyet's queues, the task types in them, and how fast they drain
model/         the model that batching is measured with: its texts, its servers, a plain loop
setup/         installs the peers, each in an environment of its own, and pins their versions
peers/         how each task queue is filled and started
http_peers/    queues behind HTTP that end_to_end is compared with
model_peers/   model servers that batching is compared with, and the model as all of them compute it
soak           mixed traffic for minutes: does anything grow?
"""
