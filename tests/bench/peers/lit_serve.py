"""LitServe: ``python lit_serve.py PORT BATCH``. One worker, its faster queue, no access log."""

import sys

import litserve
import torch
from network import Network, decode, encode


class Api(litserve.LitAPI):
    def setup(self, device):
        self.model = Network()

    def decode_request(self, request):
        return decode(request)

    def batch(self, inputs):
        return torch.cat(inputs)

    def unbatch(self, output):
        return [output[row : row + 1] for row in range(len(output))]

    def predict(self, images):
        return self.model(images)

    def encode_response(self, output):
        return {"predictions": [encode(row) for row in output.tolist()]}


if __name__ == "__main__":
    port, batch = int(sys.argv[1]), int(sys.argv[2])
    api = Api(max_batch_size=batch, batch_timeout=0.002 if batch > 1 else 0.0)
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=1, fast_queue=True, timeout=60
    )
    server.run(
        host="127.0.0.1",
        port=port,
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
