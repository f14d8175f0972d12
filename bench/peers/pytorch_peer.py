"""PyTorch's side: the same network as torch.nn layers, eager or compiled."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "lib"))

import numpy as np
import torch

import model_file
import peer


def networks(arguments):
    """Encoder and autoencoder with the given weights; images (N, 3, 150, 150), 0 to 1."""
    flat, offset = np.fromfile(arguments.weights, np.float32), 0
    convolutions = []
    for inputs, outputs in model_file.STAGES.values():
        convolution = torch.nn.Conv2d(inputs, outputs, 3, padding=1)
        kernel = flat[offset:offset + 9 * inputs * outputs].reshape(3, 3, inputs, outputs)
        offset += kernel.size
        with torch.no_grad():
            convolution.weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()))
            convolution.bias.copy_(torch.from_numpy(flat[offset:offset + outputs]))
        offset += outputs
        convolutions.append(convolution)
    encoder = [torch.nn.ZeroPad2d(1)]
    for convolution in convolutions[:3]:
        encoder += [convolution, torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    decoder = []
    for convolution in convolutions[3:6]:
        decoder += [convolution, torch.nn.ReLU(), torch.nn.Upsample(scale_factor=2)]
    decoder += [convolutions[6], torch.nn.Sigmoid(), torch.nn.ZeroPad2d(-1)]
    layout = torch.channels_last if arguments.channels_last else torch.contiguous_format
    return (torch.nn.Sequential(*encoder).to(memory_format=layout),
            torch.nn.Sequential(*encoder, *decoder).to(memory_format=layout), layout)


def serve_encode(arguments):
    encoder, _, layout = networks(arguments)
    encoder.eval()

    def forward(images):
        planes = (images.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=layout)
        return encoder(planes).permute(0, 2, 3, 1).flatten(1)

    step = torch.compile(forward) if arguments.compile else forward

    @torch.inference_mode()
    def encode(images):
        return step(torch.from_numpy(images)).numpy()

    peer.write_codes(arguments, encode)
    peer.serve(arguments, encode)


def serve_train(arguments):
    _, autoencoder, layout = networks(arguments)
    optimizer = torch.optim.Adam(autoencoder.parameters(), 1e-3, eps=1e-7)

    def loss_of(images):
        planes = (images.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=layout)
        return torch.nn.functional.binary_cross_entropy(autoencoder(planes), planes)

    step = torch.compile(loss_of) if arguments.compile else loss_of

    def train(images):
        optimizer.zero_grad(set_to_none=True)
        loss = step(torch.from_numpy(images))
        loss.backward()
        optimizer.step()
        loss.item()

    peer.serve(arguments, train)


def main():
    arguments = peer.parse_arguments()
    torch.set_num_threads(arguments.threads)
    (serve_encode if arguments.work == "encode" else serve_train)(arguments)


if __name__ == "__main__":
    main()
