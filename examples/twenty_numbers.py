"""Twenty random numbers, polled until all are factorized.

    python examples/twenty_numbers.py [http://localhost:8080]

Needs nothing of doneyet's: any HTTP client in any language can do this.
"""

import random
import sys
import time

import requests

url = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080"

done = False
numbers = [random.randint(2, 2**20) for _ in range(20)]
while not done:
    done = True
    for n in numbers:
        status = requests.post(f"{url}/factorize", json={"number": n}, timeout=10).json()

        if status["done"]:
            print(f"{n:7d} =", status["factorization_str"])
        else:
            print(f"{n:7d} = ...")

        done = done and status["done"]

    if not done:
        print()
        time.sleep(1)
