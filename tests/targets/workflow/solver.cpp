// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * solver FOLDER - first step of the sample workflow: heat spreads over a plate, computed by threads
 *
 * heat::Plate::relax() once for each thread and iteration, 1200 calls; heat::Plate::residual() once an iteration, 400;
 * heat::Plate::save() every fiftieth, 8, which writes the field to FOLDER/field-N.raw.
 */
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#define CALLED __attribute__((noinline))

namespace heat {
constexpr int n_iterations = 400, n_threads = 3, width = 1000, rows_each = 300, n_fields = 8;

class Plate {
      public:
	Plate() : now(width * rows(), 0.0f), next(now)
	{
		unsigned int random = 1;

		for (size_t i = 0; i < now.size(); i++) {
			random = random * 1664525 + 1013904223;
			now[i] = next[i] = static_cast<float>(random >> 24);
		}
	}

	CALLED void relax(int part)
	{
		int first = part * rows_each + 1, last = first + rows_each - 2;

		for (int y = first; y < last; y++)
			for (int x = 1; x < width - 1; x++)
				next[at(x, y)] = 0.25f * (now[at(x - 1, y)] + now[at(x + 1, y)] + now[at(x, y - 1)] + now[at(x, y + 1)]);
	}

	CALLED double residual()
	{
		double sum = 0;

		for (size_t i = 0; i < now.size(); i++)
			sum += std::fabs(next[i] - now[i]);
		now.swap(next);
		return sum;
	}

	CALLED bool save(const std::string &path)
	{
		FILE *file = std::fopen(path.c_str(), "wb");
		bool good = file && std::fwrite(now.data(), sizeof(float), now.size(), file) == now.size();

		return (!file || std::fclose(file) == 0) && good;
	}

      private:
	static int rows() { return n_threads * rows_each; }
	static size_t at(int x, int y) { return static_cast<size_t>(y) * width + x; }
	std::vector<float> now, next;
};

/* All threads meet here before and after each iteration. */
class Barrier {
      public:
	explicit Barrier(int n) : n_threads(n) {}

	CALLED void wait()
	{
		std::unique_lock<std::mutex> lock(mutex);
		unsigned long turn = turns;

		if (++n_waiting == n_threads) {
			n_waiting = 0;
			turns++;
			all_here.notify_all();
		} else {
			all_here.wait(lock, [&] { return turn != turns; });
		}
	}

      private:
	std::mutex mutex;
	std::condition_variable all_here;
	int n_threads, n_waiting = 0;
	unsigned long turns = 0;
};
} // namespace heat

int main(int argc, char **argv)
{
	std::string folder = argc > 1 ? argv[1] : ".";
	heat::Plate plate;
	heat::Barrier barrier(heat::n_threads + 1);
	std::vector<std::thread> threads;
	double residual = 0;
	bool good = true;

	for (int part = 0; part < heat::n_threads; part++)
		threads.emplace_back([&, part] {
			for (int i = 0; i < heat::n_iterations; i++) {
				barrier.wait();
				plate.relax(part);
				barrier.wait();
			}
		});
	for (int i = 0; i < heat::n_iterations; i++) {
		barrier.wait();
		barrier.wait();
		residual = plate.residual();
		if ((i + 1) % (heat::n_iterations / heat::n_fields) == 0)
			good = plate.save(folder + "/field-" + std::to_string(i) + ".raw") && good;
	}
	for (std::thread &thread : threads)
		thread.join();
	std::printf("solver: residual %.3f after %d iterations\n", residual, heat::n_iterations);
	return good ? 0 : 1;
}
