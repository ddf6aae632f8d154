"""Ray Serve: ``python ray_serve.py PORT BATCH``. One replica, no dashboard, no access log."""

import sys
import threading

import ray
import torch
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Model:
    def __init__(self, folder, batch):
        sys.path.insert(0, folder)
        import network

        self._network, self._batch = network, batch
        self._model = network.Network()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.002)
    async def together(self, images):
        return [[row] for row in self._model(torch.cat(images)).tolist()]

    async def __call__(self, request: Request):
        images = self._network.decode(await request.json())
        if self._batch > 1:
            rows = await self.together(images)
        else:
            rows = self._model(images).tolist()
        return {"predictions": [self._network.encode(row) for row in rows]}


if __name__ == "__main__":
    port, batch = int(sys.argv[1]), int(sys.argv[2])
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="error")
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(
        Model.bind(sys.path[0], batch),
        route_prefix="/predict",
        logging_config={"enable_access_log": False},
    )
    threading.Event().wait()
