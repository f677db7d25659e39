"""Inputs for the readers of requests: batch files, the server's bodies and connections."""

from __future__ import annotations

import base64
import json

from corpus_files import put
from corpus_images import png


def requests() -> None:
    for name, request in (
        ("text", '{"prompt": "a \\u044f", "seed": 18446744073709551615, "guidance_scale": 1e1}'),
        ("image", '{"prompt": "", "image": "data:;base64,AAAA", "mask": "m", "strength": 0}'),
        ("mix", '{"mix": [{"text": "a", "weight": -1}, {"image": "b"}, {"embeds": "c"}]}'),
        ("engine", '{"prompt": "x", "without": ["winograd"], "model_dir": null, "id": "a.b-c_d"}'),
        ("unknown", '{"stps": 1}'),
        ("words", '{"prompt": "x", "sampler": "ddim", "mix_method": "slerp", "tiling": true}'),
    ):
        put("request", name, b"\0" + request.encode())
    put("request", "lines", b'\x01\xef\xbb\xbf{"prompt": "a"}\r\n\n{"prompt": 1}\n[')
    put("request", "csv", b'\x02prompt,seed,tiling\r\n"a ""b"",\nc",1,true\r\nd,,\n"')
    put("request", "prompts", "\x03один\n\n  two\u3000\n".encode())


def server() -> None:
    image = base64.b64encode(png(1, 1, 8, 0, b"\0\1")).decode()
    bodies: tuple[tuple[str, int, dict[str, object]], ...] = (
        ("job", 0, {"prompt": "a", "seed": -1, "batch_size": 2, "n_iter": 3, "tiling": True}),
        ("job-image", 0, {"prompt": "a", "image": f"data:image/png;base64,{image}"}),
        ("job-path", 0, {"prompt": "a", "hint": "/etc/passwd"}),
        ("job-mix", 0, {"mix": [{"text": "a", "weight": -1}, {"embeds": "c"}]}),
        (
            "txt2img",
            1,
            {
                "prompt": "a",
                "steps": 5,
                "sampler_name": "DPM++ 2M Karras",
                "subseed": 7,
                "subseed_strength": 0.5,
                "override_settings": {"sd_model_checkpoint": "model"},
                "kandinsky": {"prior_guidance_scale": 2},
                "eta": 1,
                "seed_resize_from_w": 64,
            },
        ),
        ("txt2img-off", 1, {"prompt": None, "enable_hr": False, "styles": [], "hr_scale": 2}),
        ("txt2img-unknown", 1, {"stpes": 1}),
        (
            "img2img",
            2,
            {
                "init_images": [image],
                "mask": image,
                "inpainting_fill": 2,
                "resize_mode": 1,
                "inpainting_mask_invert": 1,
                "inpaint_full_res": True,
                "denoising_strength": 1,
            },
        ),
        ("generations", 3, {"prompt": "a", "n": 2, "size": "64x128", "output_format": "webp"}),
        ("generations-own", 3, {"prompt": "a", "kandinsky": {"tiling": True}, "style": "vivid"}),
        ("generations-none", 3, {"prompt": "a", "kandinsky": None, "stream": False}),
    )
    for name, kind, body in bodies:
        put("server_request", name, bytes([kind]) + json.dumps(body).encode())
    file = b'Content-Disposition: form-data; name="image"; filename="i.png"\r\n\r\n\x89PNG'
    fields = ("prompt", "кот"), ("n", "1"), ("kandinsky[tiling]", "true"), ("size", "auto")
    form = b"--x\r\n" + file
    for field, value in fields:
        form += f'\r\n--x\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}'.encode()
    form += b"\r\n--x--\r\n"
    for name, kind in (("edit", 4), ("variation", 5)):
        put("server_request", name, bytes([kind]) + b"multipart/form-data; boundary=x\n" + form)
    for name, lines in (
        ("get", ("GET /a%20b/?x=1&y=%zz HTTP/1.1", "Host: localhost:80", "", "")),
        ("post", ("POST / HTTP/1.1", "Host: [::1]:1", "Content-Length: 2", "", "{}")),
        ("chunked", ("POST / HTTP/1.1", "Transfer-Encoding: chunked", "", "2", "{}", "0", "", "")),
        ("origin", ("GET / HTTP/1.1", "Host: a", "Origin: http://b", "", "")),
        ("two", ("HEAD / HTTP/1.1", "", "DELETE * HTTP/1.0", "Connection: keep-alive", "", "")),
        ("expect", ("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 9", "", "")),
    ):
        put("http_request", name, b"\0" + "\r\n".join(lines).encode())
    basic = base64.b64encode(b"me:0123456789abcdef").decode()
    for name, key in (("bearer", "Bearer 0123456789abcdef"), ("basic", f"Basic {basic}")):
        text = f"GET / HTTP/1.1\r\nAuthorization: {key}\r\n\r\n"
        put("http_request", name, b"\1" + text.encode())
    line = {
        "id": "b",
        "file": "a.png",
        "sha256": "0",
        "seed": 1,
        "seconds": 0.5,
        "device": "cpu",
        "precision": "fp32",
        "request": "r",
    }
    text = json.dumps(line)
    put("manifest", "lines", f"{text}\n{json.dumps({**line, 'id': 'a'})}\n".encode())
    put("manifest", "torn", f"{text}\n{text[:30]}".encode())
    put("manifest", "odd", b'[]\n{"id": 1}\n\xff\0\n')
